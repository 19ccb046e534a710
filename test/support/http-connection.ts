import type { Socket } from "bun";
import { checkHead } from "./contract.ts";
import { ResponseReader } from "./http-response.ts";

export type HttpAnswer = { status: number; body: string };

/** A kept-alive connection that takes one request after the other, whose body may come late. */
export class HttpConnection {
  readonly #socket: Socket;
  #reader: ResponseReader | undefined;
  #answer = Promise.withResolvers<HttpAnswer | undefined>();
  #body: Buffer[] = [];
  /** What was asked last. */
  #request = { method: "", url: "" };
  #over = false;
  readonly #origin: string;

  private constructor(socket: Socket, origin: string) {
    this.#socket = socket;
    this.#origin = origin;
  }

  static async open(port: number): Promise<HttpConnection> {
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        data: (_socket, bytes) => connection.#take(bytes),
        close: () => connection.#end(),
      },
    });
    const connection = new HttpConnection(socket, `http://127.0.0.1:${port}`);
    return connection;
  }

  /** Whether the server has closed it, or said that it will. */
  get over(): boolean {
    return this.#over;
  }

  /**
   * Sends a request, and resolves with the answer: undefined where the connection ended before all of it came.
   *
   * @param lateMs how long the second half of the body is kept back
   */
  async ask(method: string, path: string, body = "", lateMs = 0): Promise<HttpAnswer | undefined> {
    if (this.#over) return undefined;
    this.#answer = Promise.withResolvers();
    this.#body = [];
    this.#request = { method, url: this.#origin + path };
    this.#reader = new ResponseReader((bytes) => void this.#body.push(Buffer.from(bytes)));
    const { promise } = this.#answer;
    const text = Buffer.from(body);
    const head = `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${text.length}\r\n\r\n`;
    const half = lateMs > 0 ? text.length >> 1 : text.length;
    await this.#write(Buffer.concat([Buffer.from(head), text.subarray(0, half)]));
    if (half < text.length) {
      await Bun.sleep(lateMs);
      await this.#write(text.subarray(half));
    }
    return promise;
  }

  cut(): void {
    this.#socket.terminate();
  }

  async #write(bytes: Buffer): Promise<void> {
    let left = bytes;
    while (left.length > 0 && !this.#over) {
      left = left.subarray(Math.max(0, this.#socket.write(left)));
      if (left.length > 0) await Bun.sleep(1);
    }
  }

  #take(bytes: Buffer): void {
    const reader = this.#reader;
    if (reader === undefined) return;
    reader.push(bytes);
    if (!reader.complete) return;
    if (reader.headers.get("connection")?.toLowerCase() === "close") this.#over = true;
    this.#reader = undefined;
    const { status, headers } = reader;
    const body = Buffer.concat(this.#body).toString();
    checkHead({ ...this.#request, status, type: headers.get("content-type") })?.(body);
    this.#answer.resolve({ status, body });
  }

  #end(): void {
    this.#over = true;
    this.#answer.resolve(undefined);
  }
}
