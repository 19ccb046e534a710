import type { Socket } from "bun";
import { parseFrame, type Frame } from "../support/frames.ts";
import { encodeClientFrame, UPGRADE } from "../support/websocket-frames.ts";
import { WebSocketTextReader } from "../support/websocket-reader.ts";

export type Received = { readonly frame: Frame; readonly text: string };

/** How long the server may take for an answer, in milliseconds. */
const PATIENCE_MS = 10_000;

/** A WebSocket over plain TCP that keeps all that it receives: each frame checked against its schema, and its text. */
export class Talk implements Disposable {
  readonly received: Received[] = [];
  ended = false;
  readonly #socket: Socket;
  readonly #reader: WebSocketTextReader;
  #fault: unknown;
  #changed = Promise.withResolvers<void>();

  private constructor(socket: Socket, reader: WebSocketTextReader) {
    this.#socket = socket;
    this.#reader = reader;
  }

  /** @param fields of the upgrade, each with its line end */
  static async open(port: number, fields = ""): Promise<Talk> {
    const reader = new WebSocketTextReader(
      (text) => void talk.received.push({ text, frame: parseFrame(text) }),
      (bytes) => void socket.write(bytes),
    );
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        data: (_, bytes) => talk.#take(bytes),
        close: () => talk.#end(),
        drain: () => talk.#signal(),
      },
    });
    const talk = new Talk(socket, reader);
    await talk.write(Buffer.from(UPGRADE.replace("\r\n\r\n", `\r\n${fields}\r\n`)));
    if (!(await talk.until(() => reader.open)) || reader.refused) throw new Error("The upgrade is refused");
    return talk;
  }

  /** What the server closed the WebSocket with. */
  get close() {
    return this.#reader.close;
  }

  send(frame: object): Promise<void> {
    return this.write(encodeClientFrame(JSON.stringify(frame)));
  }

  async write(bytes: Buffer): Promise<void> {
    for (let left = bytes; left.length > 0 && !this.ended;) {
      left = left.subarray(Math.max(0, this.#socket.write(left)));
      if (left.length > 0) await this.#changed.promise;
    }
  }

  /** Waits until `enough`. Returns false if the connection has ended, or the time is over. */
  async until(enough: () => boolean, patienceMs = PATIENCE_MS): Promise<boolean> {
    const end = performance.now() + patienceMs;
    while (!enough()) {
      if (this.#fault !== undefined) throw this.#fault;
      const left = end - performance.now();
      if (this.ended || left <= 0) return false;
      await Promise.race([this.#changed.promise, Bun.sleep(Math.min(left, 100))]);
    }
    if (this.#fault !== undefined) throw this.#fault;
    return true;
  }

  #take(bytes: Buffer): void {
    try {
      this.#reader.push(bytes);
    } catch (cause) {
      this.#fault ??= cause;
    }
    this.#signal();
  }

  #end(): void {
    this.ended = true;
    this.#signal();
  }

  #signal(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  [Symbol.dispose](): void {
    this.#socket.terminate();
  }
}
