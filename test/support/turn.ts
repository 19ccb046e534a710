/** Waits for the next turn of the event loop. */
export const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
