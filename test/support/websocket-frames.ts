/** The bytes of a WebSocket as they travel (RFC 6455): what a client sends, and what a server may answer. */

/** A request to open a WebSocket (RFC 6455 §4.1). */
export const UPGRADE =
  "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

export const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** The bit of the last fragment of a message. */
const WHOLE = 0x80;

/** `mask` is null for none; `length` are the bytes from the 7-bit length on, without the mask bit. */
export type FrameForm = { fin?: boolean; rsv?: number; mask?: Buffer | null; length?: readonly number[] };

/** A mask that leaves the payload as it is. */
const ZEROS = Buffer.alloc(4);

/** A client's frame (RFC 6455 §5.2), masked by zeros where no other form is asked for. */
export function encodeClientFrame(
  text: string | Buffer,
  opcode: number = OPCODES.text,
  { fin = true, rsv = 0, mask = ZEROS, length }: FrameForm = {},
): Buffer {
  const payload = Buffer.from(text);
  const head = Buffer.from([(fin ? WHOLE : 0) | (rsv << 4) | opcode, ...(length ?? lengthOf(payload.length))]);
  if (mask === null) return Buffer.concat([head, payload]);
  head[1] = (head[1] ?? 0) | 0x80;
  const masked = mask === ZEROS ? payload : payload.map((byte, index) => byte ^ (mask[index % 4] ?? 0));
  return Buffer.concat([head, mask, masked]);
}

function lengthOf(size: number): readonly number[] {
  if (size < 126) return [size];
  return size < 65536 ? length16(size) : length64(BigInt(size));
}

export const length16 = (size: number) => [126, size >> 8, size & 0xff];

export function length64(size: bigint): number[] {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(size);
  return [127, ...bytes];
}

export type RawFrame = { opcode: number; payload: Buffer };

/**
 * The first byte of a frame of this server, which sends no fragments, reserved bits or binary messages, and the most that
 * the second one may be: with a mask it would be larger, and a control frame is short (RFC 6455 §5.5).
 */
const MOST: ReadonlyMap<number, number> = new Map([
  [WHOLE | OPCODES.text, 127],
  [WHOLE | OPCODES.close, 125],
  [WHOLE | OPCODES.ping, 125],
  [WHOLE | OPCODES.pong, 125],
]);

/** Takes the frames of a server out of its bytes, which may be cut anywhere. */
export class FrameDecoder {
  /** Bytes that no frame was made of yet. */
  rest: Buffer = Buffer.alloc(0);

  push(bytes: Buffer): void {
    this.rest = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]);
  }

  /**
   * The next frame that has come as a whole.
   *
   * @throws where it is in a form that no frame of this server may have
   */
  next(): RawFrame | undefined {
    const { rest } = this;
    if (rest.length < 2) return undefined;
    const first = rest.readUInt8(0);
    const short = rest.readUInt8(1);
    const most = MOST.get(first);
    if (most === undefined || short > most) throw new Error(`A frame that begins with the bytes ${first}, ${short}`);
    const start = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (rest.length < start) return undefined;
    const length = short < 126 ? short : short === 126 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2));
    if (rest.length < start + length) return undefined;
    this.rest = rest.subarray(start + length);
    return { opcode: first & 0x0f, payload: rest.subarray(start, start + length) };
  }
}
