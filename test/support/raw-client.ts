import { connect, type Socket } from "node:net";
import { parseFrame, type Frame } from "./client.ts";

/** A WebSocket client over plain TCP, for what a proper one does not do: never read, cut off, send broken bytes. */
export class RawClient {
  readonly socket: Socket;
  readonly frames: Frame[] = [];
  close: { code: number; reason: string } | undefined;
  ended = false;
  #rest: Buffer = Buffer.alloc(0);

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
    const { socket } = client;
    socket.write(
      "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    await new Promise<void>((resolve) => {
      const onData = (chunk: Buffer) => {
        client.#rest = Buffer.concat([client.#rest, chunk]);
        const end = client.#rest.indexOf("\r\n\r\n");
        if (end < 0) return;
        client.#rest = client.#rest.subarray(end + 4);
        socket.off("data", onData);
        socket.pause();
        resolve();
      };
      socket.on("data", onData);
    });
    return client;
  }

  send(frame: object | string): void {
    this.socket.write(encodeClientFrame(typeof frame === "string" ? frame : JSON.stringify(frame)));
  }

  /** Reads from now on, until `enough`. */
  async readUntil(enough: (frames: Frame[]) => boolean): Promise<Frame[]> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const onData = (chunk: Buffer) => {
      this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
      this.#parse();
      if (enough(this.frames)) resolve();
    };
    this.socket.on("data", onData);
    this.socket.on("close", () => resolve());
    this.socket.resume();
    if (enough(this.frames) || this.ended) resolve();
    await promise;
    this.socket.off("data", onData);
    this.socket.pause();
    return this.frames;
  }

  /** Cuts the connection, without a close frame. */
  cut(): void {
    this.socket.resetAndDestroy();
  }

  #parse(): void {
    while (this.#rest.length >= 2) {
      const short = (this.#rest[1] ?? 0) & 0x7f;
      const header = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (this.#rest.length < header) return;
      const length =
        short < 126 ? short : short === 126 ? this.#rest.readUInt16BE(2) : Number(this.#rest.readBigUInt64BE(2));
      if (this.#rest.length < header + length) return;
      const payload = this.#rest.subarray(header, header + length);
      const opcode = (this.#rest[0] ?? 0) & 0x0f;
      if (opcode === 1) this.frames.push(parseFrame(payload.toString()));
      if (opcode === 8) this.close = { code: payload.readUInt16BE(0), reason: payload.toString("utf8", 2) };
      this.#rest = this.#rest.subarray(header + length);
    }
  }
}

/** A masked text frame (RFC 6455 §5.2), with a mask of zeros. */
export function encodeClientFrame(text: string | Buffer, opcode = 1): Buffer {
  const payload = Buffer.from(text);
  const mask = Buffer.alloc(4);
  if (payload.length < 126) return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | payload.length]), mask, payload]);
  if (payload.length < 65536) {
    const header = Buffer.from([0x80 | opcode, 0x80 | 126, payload.length >> 8, payload.length & 0xff]);
    return Buffer.concat([header, mask, payload]);
  }
  const header = Buffer.alloc(10);
  header[0] = 0x80 | opcode;
  header[1] = 0x80 | 127;
  header.writeBigUInt64BE(BigInt(payload.length), 2);
  return Buffer.concat([header, mask, payload]);
}
