import { encodeClientFrame } from "./raw-client.ts";

const HEAD_END = "\r\n\r\n";
const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

/** A request to open a WebSocket (RFC 6455 §4.1). */
export const UPGRADE =
  "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/** Reads what a server sends on a WebSocket (RFC 6455 §5.2), its answer to the upgrade first. */
export class WebSocketReader {
  /** What the server closed the WebSocket with. */
  close: { code: number; reason: string } | undefined;
  open = false;
  /** Whether the upgrade was refused. */
  refused = false;
  readonly #onText: (text: string) => void;
  readonly #send: (bytes: Buffer) => void;
  #rest: Buffer = Buffer.alloc(0);

  /** @param send used to answer a ping, which a server takes for a sign of life */
  constructor(onText: (text: string) => void, send: (bytes: Buffer) => void) {
    this.#onText = onText;
    this.#send = send;
  }

  push(bytes: Buffer): void {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    if (!this.open) {
      const end = this.#rest.indexOf(HEAD_END);
      if (end < 0) return;
      this.refused = !this.#rest.toString("latin1", 0, end).startsWith("HTTP/1.1 101 ");
      this.#rest = this.#rest.subarray(end + HEAD_END.length);
      this.open = true;
    }
    if (this.refused) return;
    while (this.#readFrame());
  }

  #readFrame(): boolean {
    const rest = this.#rest;
    if (rest.length < 2) return false;
    const short = rest.readUInt8(1) & 0x7f;
    const header = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (rest.length < header) return false;
    const length = short < 126 ? short : short === 126 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2));
    if (rest.length < header + length) return false;
    this.#rest = rest.subarray(header + length);
    this.#take(rest.readUInt8(0) & 0x0f, rest.subarray(header, header + length));
    return true;
  }

  #take(opcode: number, payload: Buffer): void {
    if (opcode === TEXT) this.#onText(payload.toString());
    if (opcode === CLOSE) this.close = { code: payload.readUInt16BE(0), reason: payload.toString("utf8", 2) };
    if (opcode === PING) this.#send(encodeClientFrame(payload, PONG));
  }
}
