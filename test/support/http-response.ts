const HEAD_END = "\r\n\r\n";
const LINE_END = "\r\n";

/** Reads one HTTP/1.1 response (RFC 9112), however its bytes are cut up: hands on the body as it comes. */
export class ResponseReader {
  /** 0 until the head was read. */
  status = 0;
  headers = new Headers();
  /** Whether the body has come to its end, as the response itself tells it. */
  complete = false;
  readonly #onBody: (bytes: Buffer) => void;
  #rest: Buffer = Buffer.alloc(0);
  #chunked = false;
  /** Bytes of the body, or of its present chunk and the line end after it, that are still to come. */
  #left = 0;

  constructor(onBody: (bytes: Buffer) => void) {
    this.#onBody = onBody;
  }

  push(bytes: Buffer): void {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    if (this.status === 0 && !this.#readHead()) return;
    while (!this.complete && (this.#chunked ? this.#readChunk() : this.#readPlain()));
  }

  #readHead(): boolean {
    const end = this.#rest.indexOf(HEAD_END);
    if (end < 0) return false;
    const [statusLine = "", ...fields] = this.#rest.toString("latin1", 0, end).split(LINE_END);
    this.#rest = this.#rest.subarray(end + HEAD_END.length);
    for (const field of fields) {
      const colon = field.indexOf(":");
      this.headers.append(field.slice(0, colon), field.slice(colon + 1).trim());
    }
    this.#chunked = this.headers.get("transfer-encoding") === "chunked";
    this.#left = this.#chunked ? 0 : Number(this.headers.get("content-length"));
    this.status = Number(statusLine.split(" ")[1]);
    return true;
  }

  #readPlain(): boolean {
    this.#hand(this.#left);
    this.complete = this.#left === 0;
    return false;
  }

  /** Reads a chunk (RFC 9112 §7.1), or as much of it as has come. Returns whether there may be more to read. */
  #readChunk(): boolean {
    if (this.#left > LINE_END.length) {
      this.#hand(this.#left - LINE_END.length);
      if (this.#left > LINE_END.length) return false;
    }
    if (this.#left > 0) {
      if (this.#rest.length < this.#left) return false;
      this.#skip(this.#left);
      this.#left = 0;
    }
    const end = this.#rest.indexOf(LINE_END);
    if (end < 0) return false;
    const size = Number.parseInt(this.#rest.toString("latin1", 0, end), 16);
    this.#left = size + LINE_END.length;
    if (size > 0) {
      this.#skip(end + LINE_END.length);
      return true;
    }
    if (this.#rest.length < end + HEAD_END.length) {
      this.#left = 0;
      return false;
    }
    this.complete = true;
    return false;
  }

  #hand(most: number): void {
    const bytes = this.#rest.subarray(0, most);
    this.#skip(bytes.length);
    this.#left -= bytes.length;
    if (bytes.length > 0) this.#onBody(bytes);
  }

  #skip(count: number): void {
    this.#rest = this.#rest.subarray(count);
  }
}
