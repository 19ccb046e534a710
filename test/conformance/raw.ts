import { connect, type Socket } from "node:net";
import { parseFrame, parseProblem } from "../support/frames.ts";
import {
  encodeClientFrame,
  FrameDecoder,
  OPCODES,
  type FrameForm,
  type RawFrame,
} from "../support/websocket-frames.ts";

/** A plain TCP connection to the server: bytes as they are, both ways. `await using` cuts it. */
export class RawConnection implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #closed: Promise<void>;
  #received: Buffer = Buffer.alloc(0);
  #ended = false;
  #changed = Promise.withResolvers<void>();

  constructor({ port }: { port: number }) {
    this.#socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.#socket.on("data", (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#signal();
    });
    this.#socket.on("end", () => {
      this.#ended = true;
      this.#signal();
    });
    // A connection that is reset is closed as well.
    this.#socket.on("error", () => {});
    this.#closed = new Promise((resolve) => {
      this.#socket.on("close", () => {
        this.#ended = true;
        this.#signal();
        resolve();
      });
    });
  }

  write(bytes: string | Buffer): void {
    this.#socket.write(bytes);
  }

  /** Writes, and resolves once the system has taken it all. */
  send(bytes: string | Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (cause) => (cause ? reject(cause) : resolve()));
    });
  }

  /** All that has come so far, as soon as it is `enough`. */
  async readUntil(enough: (received: Buffer) => boolean): Promise<Buffer> {
    while (!enough(this.#received)) {
      if (this.#ended) throw new Error(`The server closed too early, after ${JSON.stringify(String(this.#received))}`);
      await this.#changed.promise;
    }
    return this.#received;
  }

  /** All that has come by the time that the server closes. */
  async readToEnd(): Promise<Buffer> {
    while (!this.#ended) await this.#changed.promise;
    return this.#received;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    await this.#closed;
  }

  #signal(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

/** Sends `bytes`, and returns all that comes back by the time that the server closes. */
export async function exchange(server: { port: number }, bytes: string | Buffer): Promise<Buffer> {
  await using connection = new RawConnection(server);
  connection.write(bytes);
  return await connection.readToEnd();
}

export type RawResponse = { status: number; headers: Headers; body: string };

const HEAD_END = "\r\n\r\n";

/**
 * The responses of one connection (RFC 9112 §6.3), each body as long as its `Content-Length`.
 *
 * @param methods of the requests, in their order: what is no GET may be answered without a body
 * @throws where bytes are left that belong to no response
 */
export function responsesOf(bytes: Buffer, methods: readonly string[] = []): RawResponse[] {
  const all: RawResponse[] = [];
  let finals = 0;
  for (let rest = bytes; rest.length > 0;) {
    const end = rest.indexOf(HEAD_END);
    const [statusLine = "", ...lines] = rest.toString("latin1", 0, Math.max(0, end)).split("\r\n");
    const [, code] = /^HTTP\/1\.1 (\d{3}) [ -~]*$/.exec(statusLine) ?? [];
    if (code === undefined) throw new Error(`No response: ${JSON.stringify(String(rest))}`);
    const status = Number(code);
    const headers = new Headers();
    for (const line of lines) {
      const [, name, value] = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*)$/.exec(line) ?? [];
      if (name === undefined || value === undefined) throw new Error(`No field line: ${JSON.stringify(line)}`);
      headers.append(name, value);
    }
    const bodiless = status < 200 || status === 204 || status === 304 || methods[finals] === "HEAD";
    const length = bodiless ? 0 : Number(headers.get("content-length"));
    rest = rest.subarray(end + HEAD_END.length);
    if (rest.length < length) throw new Error(`A body is cut off: ${JSON.stringify(String(rest))}`);
    const body = rest.toString("utf8", 0, length);
    if (body !== "" && headers.get("content-type") === "application/problem+json") parseProblem(body);
    all.push({ status, headers, body });
    rest = rest.subarray(length);
    if (status >= 200) finals++;
  }
  return all;
}

const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

/** A client's frame (RFC 6455 §5.2), in whatever form is asked for. */
export function frame(opcode: number, payload: string | Buffer = "", form: FrameForm = {}): Buffer {
  return encodeClientFrame(payload, opcode, { mask: MASK, ...form });
}

/**
 * The frames that a server has sent after its answer to the upgrade (RFC 6455 §5).
 *
 * @throws where one is cut off, or is in a form or says something that no frame of this server may
 */
export function framesOf(bytes: Buffer): RawFrame[] {
  const frames: RawFrame[] = [];
  const decoder = new FrameDecoder();
  decoder.push(bytes.subarray(bytes.indexOf(HEAD_END) + HEAD_END.length));
  for (let next = decoder.next(); next !== undefined; next = decoder.next()) {
    if (next.opcode === OPCODES.text) parseFrame(next.payload.toString());
    frames.push(next);
  }
  if (decoder.rest.length > 0) throw new Error("A frame is cut off");
  return frames;
}
