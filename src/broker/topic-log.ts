/**
 * The newest `capacity` events of a topic, numbered from 1 in the order of publishing.
 *
 * A number is never reused, so what was overwritten is reported as missing instead of quietly skipped.
 *
 * | append()      | constant; allocates nothing once the ring is full |
 * | at()          | constant |
 * | dropOldest()  | constant |
 */
export class TopicLog {
  readonly #capacity: number;
  readonly #texts: string[] = [];
  readonly #sizes: number[] = [];
  #oldest = 1;
  #newest = 0;
  #bytes = 0;

  /** @param capacity how many events are kept, 1 or more */
  constructor(capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new RangeError(`Cannot create TopicLog: capacity must be an integer of 1 or more, got ${capacity}`);
    }
    this.#capacity = capacity;
  }

  /** The `seq` of the event that was appended last, 0 before the first: also the number of events ever appended. */
  get newest(): number {
    return this.#newest;
  }

  /** The `seq` of the oldest event still held; `newest + 1` when none is. */
  get oldest(): number {
    return this.#oldest;
  }

  /** What the held events take, in bytes of memory, as {@link sizeOf} reckons. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Appends an event, in place of the oldest when the ring is full, and returns its `seq`. */
  append(text: string): number {
    if (this.#newest - this.#oldest + 1 === this.#capacity) this.dropOldest();
    const size = sizeOf(text);
    const slot = this.#newest % this.#capacity;
    this.#texts[slot] = text;
    this.#sizes[slot] = size;
    this.#bytes += size;
    return ++this.#newest;
  }

  /** The event numbered `seq`, which must be held: `oldest` to `newest`. */
  at(seq: number): string {
    const text = this.#texts[(seq - 1) % this.#capacity];
    if (text === undefined || seq < this.#oldest || seq > this.#newest) {
      throw new RangeError(`Cannot read seq ${seq}: the log holds ${this.#oldest} to ${this.#newest}`);
    }
    return text;
  }

  /** Forgets the oldest event that is held, if any. */
  dropOldest(): void {
    if (this.#oldest > this.#newest) return;
    const slot = (this.#oldest - 1) % this.#capacity;
    this.#bytes -= this.#sizes[slot] ?? 0;
    this.#texts[slot] = "";
    this.#sizes[slot] = 0;
    this.#oldest++;
  }
}

/** What a string and its slot take besides its characters. */
const OVERHEAD_BYTES = 64;

/**
 * What an event takes in memory, never less than it really does: a string of one-byte characters takes a byte for
 * each, any other two. Only plain ASCII is told apart, since asking more would mean reading every character.
 */
export function sizeOf(text: string): number {
  const ascii = Buffer.byteLength(text) === text.length;
  return OVERHEAD_BYTES + (ascii ? text.length : 2 * text.length);
}
