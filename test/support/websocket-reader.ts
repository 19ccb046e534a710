import { parseFrame, type Frame } from "./frames.ts";
import { encodeClientFrame, FrameDecoder, OPCODES, type RawFrame } from "./websocket-frames.ts";

const HEAD_END = "\r\n\r\n";

/** Reads what a server sends on a WebSocket, the answer to the upgrade first. The texts are not checked: this is for a load. */
export class WebSocketTextReader {
  /** What the server closed the WebSocket with. */
  close: { code: number; reason: string } | undefined;
  open = false;
  /** Whether the upgrade was refused. */
  refused = false;
  readonly #onText: (text: string) => void;
  readonly #send: (bytes: Buffer) => void;
  readonly #decoder = new FrameDecoder();

  /** @param send used to answer a ping, which a server takes for a sign of life */
  constructor(onText: (text: string) => void, send: (bytes: Buffer) => void) {
    this.#onText = onText;
    this.#send = send;
  }

  push(bytes: Buffer): void {
    this.#decoder.push(bytes);
    if (!this.open && !this.#readHead()) return;
    if (this.refused) return;
    for (let frame = this.#decoder.next(); frame !== undefined; frame = this.#decoder.next()) this.#take(frame);
  }

  #readHead(): boolean {
    const { rest } = this.#decoder;
    const end = rest.indexOf(HEAD_END);
    if (end < 0) return false;
    this.refused = !rest.toString("latin1", 0, end).startsWith("HTTP/1.1 101 ");
    this.#decoder.rest = rest.subarray(end + HEAD_END.length);
    this.open = true;
    return true;
  }

  #take({ opcode, payload }: RawFrame): void {
    if (opcode === OPCODES.text) this.#onText(payload.toString());
    if (opcode === OPCODES.close) this.close = closeOf(payload);
    if (opcode === OPCODES.ping) this.#send(encodeClientFrame(payload, OPCODES.pong));
  }
}

/** A close frame may come without a code; then there was none (RFC 6455 §7.1.5). */
function closeOf(payload: Buffer): { code: number; reason: string } {
  return { code: payload.length < 2 ? 1005 : payload.readUInt16BE(0), reason: payload.toString("utf8", 2) };
}

/** The same for frames. Each is checked against its schema. */
export class WebSocketReader extends WebSocketTextReader {
  constructor(onFrame: (frame: Frame, text: string) => void, send: (bytes: Buffer) => void) {
    super((text) => onFrame(parseFrame(text), text), send);
  }
}
