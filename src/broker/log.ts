/**
 * The newest `capacity` events of a topic, numbered in the order of publishing.
 *
 * A number is never reused, so an overwritten event is reported as missing instead of quietly skipped.
 *
 * | append()      | constant; allocates nothing once the ring is full |
 * | at(), find()  | constant |
 * | dropOldest()  | constant |
 *
 * @example
 * const log = new TopicLog(150);
 * log.append(text); // 1
 */
export class TopicLog {
  readonly #capacity: number;
  readonly #texts: string[] = [];
  readonly #sizes: number[] = [];
  #oldest: number;
  #newest: number;
  #bytes = 0;
  /** The keys of the events that have one, by slot, and where each key stands. */
  readonly #keys: (string | undefined)[] = [];
  readonly #seqs = new Map<string, number>();

  /**
   * @param capacity how many events are kept, 1 or more
   * @param newest the `seq` before its first event
   */
  constructor(capacity: number, newest = 0) {
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new RangeError(`Cannot create TopicLog: capacity must be an integer of 1 or more, got ${capacity}`);
    }
    this.#capacity = capacity;
    this.#newest = newest;
    this.#oldest = newest + 1;
  }

  /** The `seq` of the newest event, whether or not it is still held. */
  get newest(): number {
    return this.#newest;
  }

  /** The `seq` of the oldest event still held; `newest + 1` if none is. */
  get oldest(): number {
    return this.#oldest;
  }

  /** The memory that the held events take, in bytes; see {@link sizeOf}. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Appends an event and returns its `seq`. A full ring drops its oldest event first.
   *
   * @param key what {@link find} finds it by
   */
  append(text: string, key?: string): number {
    if (this.#newest - this.#oldest + 1 === this.#capacity) this.dropOldest();
    const size = sizeOf(text) + (key === undefined ? 0 : KEY_BYTES + key.length);
    const slot = this.#newest % this.#capacity;
    this.#texts[slot] = text;
    this.#sizes[slot] = size;
    this.#bytes += size;
    this.#newest++;
    if (key !== undefined) {
      this.#keys[slot] = key;
      this.#seqs.set(key, this.#newest);
    }
    return this.#newest;
  }

  /** The `seq` of the newest event that was appended under `key`; undefined if none is held. */
  find(key: string): number | undefined {
    return this.#seqs.get(key);
  }

  /** Continues after `newest`, which must be ahead. Drops all events held, so that the log never contains a gap. */
  skipTo(newest: number): void {
    while (this.#oldest <= this.#newest) this.dropOldest();
    this.#newest = newest;
    this.#oldest = newest + 1;
  }

  /** The event `seq`, which must be held: `oldest` to `newest`. */
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
    const key = this.#keys[slot];
    if (key !== undefined) {
      this.#keys[slot] = undefined;
      if (this.#seqs.get(key) === this.#oldest) this.#seqs.delete(key);
    }
    this.#oldest++;
  }
}

/** The memory that a string and its slot take besides the characters, in bytes. */
const OVERHEAD_BYTES = 64;

/** The memory that a key and its place in the index take besides the characters, in bytes. */
const KEY_BYTES = 128;

/**
 * The memory that an event takes, in bytes, never too little. A string of one-byte characters takes one byte for each,
 * any other two. Only ASCII counts as one-byte: checking for more would mean reading every character.
 */
export function sizeOf(text: string): number {
  const ascii = Buffer.byteLength(text) === text.length;
  return OVERHEAD_BYTES + (ascii ? text.length : 2 * text.length);
}
