/**
 * Does some work again and again while the page is visible.
 *
 * @param work resolves with the time until the next time, in milliseconds
 * @returns ends it
 */
export function poll(work: (signal: AbortSignal) => Promise<number>): () => void {
  const controller = new AbortController();
  const { signal } = controller;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const run = async (): Promise<void> => {
    const wait = await work(signal);
    if (!signal.aborted) timer = setTimeout(next, wait);
  };
  const next = (): void => {
    if (!document.hidden) return void run();
    document.addEventListener("visibilitychange", next, { once: true, signal });
  };
  next();
  return () => {
    clearTimeout(timer);
    controller.abort();
  };
}
