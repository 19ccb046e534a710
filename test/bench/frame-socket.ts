/**
 * A WebSocket over plain TCP that costs a load as little as can be: it finds where frames begin and end, and reads no more of
 * them than what they are. It answers pings, as every client does: one that does not is treated more kindly by the server.
 */
import type { Socket } from "bun";
import { encodeClientFrame, OPCODES, UPGRADE } from "../support/websocket-frames.ts";

const HEAD_END = "\r\n\r\n";

/** Where `{"type":"` ends, and the letters behind it that tell frames apart. */
const TYPE_AT = 9;
const [A, E, R] = [..."aer"].map((letter) => letter.charCodeAt(0));

export type FrameKind = "ack" | "event" | "error" | "other";

export type FrameListener = {
  /** A frame has come: its text is in `bytes`, from `start` up to `end`. */
  frame(kind: FrameKind, bytes: Buffer, start: number, end: number): void;
  /** All that has come by now was told. */
  read?(): void;
};

/** Ends this process: a load that goes on without one of its connections measures something else. */
export function fail(why: string): never {
  console.error(why);
  process.exit(1);
}

export class FrameSocket {
  readonly #listener: FrameListener;
  readonly #upgraded = Promise.withResolvers<void>();
  #socket: Socket | undefined;
  #isOpen = false;
  #rest: Buffer = Buffer.alloc(0);
  #unsent: Buffer = Buffer.alloc(0);

  private constructor(listener: FrameListener) {
    this.#listener = listener;
  }

  /** Connects. Resolves once the server has taken the upgrade. */
  static async open(port: number, listener: FrameListener): Promise<FrameSocket> {
    const one = new FrameSocket(listener);
    one.#socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        data: (_, chunk) => one.#data(chunk),
        drain: () => one.write(Buffer.alloc(0)),
        close: () => fail("A connection of the load was closed"),
        error: (_, cause) => fail(`A connection of the load has failed: ${cause.message}`),
      },
    });
    one.write(Buffer.from(UPGRADE));
    await one.#upgraded.promise;
    return one;
  }

  send(frame: object): void {
    this.write(encodeClientFrame(JSON.stringify(frame)));
  }

  /** Writes frames that are encoded already. */
  write(bytes: Buffer): void {
    const all = this.#unsent.length === 0 ? bytes : Buffer.concat([this.#unsent, bytes]);
    const sent = all.length === 0 ? 0 : (this.#socket?.write(all) ?? 0);
    this.#unsent = all.subarray(Math.max(0, sent));
  }

  #data(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = bytes.subarray(this.#take(bytes));
    this.#listener.read?.();
  }

  /** Tells of each frame that has come as a whole. Returns where the rest begins. */
  #take(bytes: Buffer): number {
    let at = 0;
    if (!this.#isOpen) {
      const end = bytes.indexOf(HEAD_END);
      if (end < 0) return 0;
      if (!bytes.toString("latin1", 0, end).startsWith("HTTP/1.1 101 ")) fail("An upgrade was refused");
      this.#isOpen = true;
      this.#upgraded.resolve();
      at = end + HEAD_END.length;
    }
    while (bytes.length >= at + 2) {
      const opcode = (bytes[at] ?? 0) & 0x0f;
      const short = bytes[at + 1] ?? 0;
      const start = at + (short < 126 ? 2 : short === 126 ? 4 : 10);
      if (bytes.length < start) return at;
      const length =
        short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
      const end = start + length;
      if (bytes.length < end) return at;
      if (opcode === OPCODES.text) this.#listener.frame(kindAt(bytes, start), bytes, start, end);
      else if (opcode === OPCODES.ping) this.write(encodeClientFrame(bytes.subarray(start, end), OPCODES.pong));
      else fail(`The server has sent a frame of opcode ${opcode}`);
      at = end;
    }
    return at;
  }
}

function kindAt(bytes: Buffer, start: number): FrameKind {
  const letter = bytes[start + TYPE_AT];
  if (letter === A) return "ack";
  if (letter !== E) return "other";
  return bytes[start + TYPE_AT + 1] === R ? "error" : "event";
}
