import { limitExceeded } from "../protocol/codes.ts";

/**
 * How many HTTP requests are under way, those whose body is still to come among them, and the bound on that. A stream is no
 * longer one of them when it has begun.
 */
export class RequestsUnderWay {
  readonly #most: number;
  #count = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /**
   * Does the work of one request.
   *
   * @param counts whether it counts: probes are answered however many others ask
   * @throws {ProtocolError} `LIMIT_EXCEEDED` where there may not be one more
   */
  async run<T>(counts: boolean, work: () => Promise<T>): Promise<T> {
    if (!counts) return work();
    if (this.#count >= this.#most) throw limitExceeded("MAX_HTTP_REQUESTS", this.#most);
    this.#count++;
    try {
      return await work();
    } finally {
      this.#count--;
    }
  }
}
