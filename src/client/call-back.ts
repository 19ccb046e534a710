/** Calls what a user gave. What it throws, or rejects with, goes to `failed` and no further. */
export function callBack(call: () => unknown, failed: (cause: unknown) => void): void {
  try {
    const result = call();
    if (result instanceof Promise) result.catch(failed);
  } catch (cause) {
    failed(cause);
  }
}
