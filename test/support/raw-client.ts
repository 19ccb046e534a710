import { connect, type Socket } from "node:net";
import type { Frame } from "./frames.ts";
import { encodeClientFrame, UPGRADE } from "./websocket-frames.ts";
import { WebSocketReader } from "./websocket-reader.ts";

/** A WebSocket client over plain TCP, for what a proper one does not do: never read, cut off, send broken bytes, answer no ping. */
export class RawClient {
  readonly socket: Socket;
  readonly frames: Frame[] = [];
  ended = false;
  readonly #reader = new WebSocketReader(
    (frame) => void this.frames.push(frame),
    () => {},
  );

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", () => {});
    socket.on("close", () => {
      this.ended = true;
    });
  }

  /** Connects, and reads no more than the answer to the upgrade. */
  static async connect({ port }: { port: number }): Promise<RawClient> {
    const client = new RawClient(connect(port, "127.0.0.1"));
    client.socket.write(UPGRADE);
    await client.#read(() => client.#reader.open);
    return client;
  }

  /** Connects and subscribes to topic "t", and reads no more than the ack. */
  static async subscribe(server: { port: number }, clientId: string, wish: object = {}): Promise<RawClient> {
    const client = await RawClient.connect(server);
    client.send({ type: "subscribe", topic: "t", client_id: clientId, ...wish });
    await client.readUntil((frames) => frames.length > 0);
    return client;
  }

  /** What the server closed the WebSocket with. */
  get close(): { code: number; reason: string } | undefined {
    return this.#reader.close;
  }

  send(frame: object | string): void {
    this.socket.write(encodeClientFrame(typeof frame === "string" ? frame : JSON.stringify(frame)));
  }

  /** Reads from now on, until `enough`. */
  async readUntil(enough: (frames: Frame[]) => boolean): Promise<Frame[]> {
    await this.#read(() => enough(this.frames));
    return this.frames;
  }

  /** Cuts the connection, without a close frame. */
  cut(): void {
    this.socket.resetAndDestroy();
  }

  async #read(enough: () => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const onData = (chunk: Buffer) => {
      this.#reader.push(chunk);
      if (enough()) resolve();
    };
    this.socket.on("data", onData);
    this.socket.on("close", () => resolve());
    this.socket.resume();
    if (enough() || this.ended) resolve();
    await promise;
    this.socket.off("data", onData);
    this.socket.pause();
  }
}
