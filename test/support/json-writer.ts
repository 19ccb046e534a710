import type { Random } from "./random.ts";

/** A member of an object: its key as it is read, and the text of its value. */
export type Member = readonly [key: string, value: string];

/** Writes random JSON, in all the ways in which one value can be written. */
export class JsonWriter {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  space(): string {
    return this.#random.chance(0.7) ? "" : this.#repeat(3, () => this.#random.pick([" ", "\t", "\n", "\r"]));
  }

  value(depth: number): string {
    const kind = this.#random.int(depth === 0 ? 3 : 5);
    if (kind === 0) return this.#random.pick(["null", "true", "false"]);
    if (kind === 1) return this.#number();
    if (kind === 2) return this.#word();
    const values = Array.from({ length: this.#random.int(5) }, () => this.value(depth - 1));
    if (kind === 3) return this.array(values);
    return this.#enclose(
      "{",
      values.map((value) => `${this.#word()}${this.#colon()}${value}`),
      "}",
    );
  }

  string(): string {
    return `"${this.#repeat(12, () => this.#character())}"`;
  }

  array(values: readonly string[]): string {
    return this.#enclose("[", values, "]");
  }

  /**
   * An object of `members` in any order, their keys in any spelling. Where a key is repeated `last` tells which of its
   * values counts, as the last one does for `JSON.parse`.
   */
  object(members: readonly Member[]): { text: string; last: ReadonlyMap<string, string> } {
    const order = this.#shuffled(members);
    const texts = order.map(([key, value]) => `${this.#spelled(key)}${this.#colon()}${value}`);
    return { text: this.#enclose("{", texts, "}"), last: new Map(order) };
  }

  #enclose(open: string, items: readonly string[], close: string): string {
    const spaced = items.map((item) => `${this.space()}${item}${this.space()}`);
    return `${open}${items.length === 0 ? this.space() : spaced.join(",")}${close}`;
  }

  #colon(): string {
    return `${this.space()}:${this.space()}`;
  }

  #shuffled<T>(items: readonly T[]): T[] {
    const left = [...items];
    const order: T[] = [];
    while (left.length > 0) order.push(...left.splice(this.#random.int(left.length), 1));
    return order;
  }

  /** A key, seldom with some of its letters as escapes. */
  #spelled(key: string): string {
    if (this.#random.chance(0.8)) return JSON.stringify(key);
    const letters = [...key].map((letter) => {
      const code = letter.charCodeAt(0).toString(16).padStart(4, "0");
      return this.#random.chance(0.3) ? `\\u${this.#random.pick([code, code.toUpperCase()])}` : letter;
    });
    return `"${letters.join("")}"`;
  }

  /** A string, often one that is a key elsewhere. */
  #word(): string {
    return this.#random.chance(0.5)
      ? this.string()
      : this.#random.pick([`"payload"`, `"message"`, `"messages"`, `"id"`, `"__proto__"`]);
  }

  #number(): string {
    const digits = this.#repeat(24, () => String(this.#random.int(10))).replace(/^0+/, "") || "0";
    const fraction = this.#random.chance(0.3) ? `.${this.#random.int(1000)}0` : "";
    const exponent = this.#random.chance(0.3)
      ? `${this.#random.pick(["e", "E"])}${this.#random.pick(["", "+", "-"])}${this.#random.int(500)}`
      : "";
    return `${this.#random.pick(["", "-"])}${digits}${fraction}${exponent}`;
  }

  #character(): string {
    if (this.#random.chance(0.3)) {
      return this.#random.pick([
        '\\"',
        "\\\\",
        "\\/",
        "\\b",
        "\\f",
        "\\n",
        "\\r",
        "\\t",
        "\\u007b",
        "\\u0022",
        "\\uD83d",
      ]);
    }
    return this.#random.pick([
      "a",
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      "'",
      " ",
      "é",
      "😀",
      "\u2028",
      "\u007f",
      "payload",
      "messages",
    ]);
  }

  #repeat(most: number, make: () => string): string {
    return Array.from({ length: this.#random.int(most + 1) }, make).join("");
  }
}
