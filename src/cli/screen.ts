import { writeSync } from "node:fs";
import type { Context } from "./context.ts";
import type { Size } from "./top-screen.ts";

const ENTER = "\u001b[?1049h\u001b[?25l\u001b[?7l";
const LEAVE = "\u001b[?7h\u001b[?25h\u001b[?1049l";
const HOME = "\u001b[H";
const END_OF_LINE = "\u001b[K";
const END_OF_SCREEN = "\u001b[J";
const STDOUT = 1;

export type Key = "up" | "down" | "enter" | "back" | "quit" | (string & {});

const KEYS: Readonly<Record<string, Key>> = {
  "\u001b[A": "up",
  "\u001bOA": "up",
  k: "up",
  "\u001b[B": "down",
  "\u001bOB": "down",
  j: "down",
  "\r": "enter",
  "\u001b": "back",
  "\u007f": "back",
  q: "quit",
  "\u0003": "quit",
};

/** Keys in what a terminal sends. */
export function keysIn(text: string): Key[] {
  return (text.match(/\u001b[[O][A-Za-z]|[^]/g) ?? []).map((sent) => KEYS[sent] ?? sent);
}

/** The whole terminal, for as long as it is wanted. However the process ends, the terminal is then as it was. */
export class Screen implements Disposable {
  readonly #context: Context;
  readonly #pressed: (key: Key) => void;
  readonly #resized: () => void;
  readonly #restore = () => this[Symbol.dispose]();
  readonly #read = (chunk: Buffer) => keysIn(chunk.toString()).forEach((key) => this.#pressed(key));
  #isOn = true;

  constructor(context: Context, ports: { pressed: (key: Key) => void; resized: () => void }) {
    this.#context = context;
    this.#pressed = ports.pressed;
    this.#resized = ports.resized;
    process.on("exit", this.#restore);
    writeSync(STDOUT, ENTER);
    process.stdout.on("resize", this.#resized);
    if (process.stdin.isTTY) {
      process.stdin.setRawMode(true);
      process.stdin.on("data", this.#read);
    }
  }

  get size(): Size {
    return { columns: process.stdout.columns, rows: process.stdout.rows };
  }

  /** Draws lines from the top. What does not fit is cut off. */
  draw(lines: readonly string[]): Promise<void> {
    if (!this.#isOn) return Promise.resolve();
    const fitting = lines.slice(0, this.size.rows).map((line) => line + END_OF_LINE);
    return this.#context.out.write(HOME + fitting.join("\r\n") + END_OF_SCREEN);
  }

  [Symbol.dispose](): void {
    if (!this.#isOn) return;
    this.#isOn = false;
    process.off("exit", this.#restore);
    process.stdout.off("resize", this.#resized);
    if (process.stdin.isTTY) {
      process.stdin.off("data", this.#read);
      process.stdin.setRawMode(false);
      process.stdin.pause();
    }
    writeSync(STDOUT, LEAVE);
  }
}
