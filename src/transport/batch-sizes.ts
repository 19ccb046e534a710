/** The bytes of events that are sent together. Keeps the last result: all peers that are sent the same get the same array. */
export class BatchSizes {
  #texts: readonly string[] | undefined;
  #bytes = 0;

  of(texts: readonly string[]): number {
    if (this.#texts === texts) return this.#bytes;
    let bytes = 0;
    for (const text of texts) bytes += Buffer.byteLength(text);
    this.#texts = texts;
    this.#bytes = bytes;
    return bytes;
  }
}
