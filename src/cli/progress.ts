import type { Context } from "./context.ts";

/** How often it is drawn, in milliseconds. */
const EVERY_MS = 200;

const WIDTH = 30;

/** How much is done: of how much, if that is known, and what else to say. */
export type Done = { share: number | undefined; text: string };

/** A bar on standard error, for people who wait. It is not there for others, nor for what is done at once. */
export class Progress implements Disposable {
  readonly #timer: ReturnType<typeof setInterval> | undefined;
  #isDrawn = false;

  constructor(context: Context, done: () => Done) {
    if (!context.isWatched) return;
    this.#timer = setInterval(() => {
      const { share, text } = done();
      this.#isDrawn = true;
      void context.err.write(`\r${share === undefined ? "" : `${bar(share)} `}${text}\u001b[K`);
    }, EVERY_MS);
    this.#clear = () => void context.err.write("\r\u001b[K");
  }

  readonly #clear: () => void = () => {};

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    if (this.#isDrawn) this.#clear();
    this.#isDrawn = false;
  }
}

/** `[##########          ]  33 %` */
export function bar(share: number): string {
  const part = Math.min(1, Math.max(0, share));
  const full = Math.round(part * WIDTH);
  return `[${"#".repeat(full)}${" ".repeat(WIDTH - full)}] ${String(Math.floor(part * 100)).padStart(3)} %`;
}
