import { connect, type Socket } from "node:net";
import { encodeClientFrame, UPGRADE } from "../support/websocket-frames.ts";
import type { Frame } from "../support/frames.ts";
import { streamRequest, StreamResponse, type StreamRequest } from "../support/sse-client.ts";
import { WebSocketReader } from "../support/websocket-reader.ts";

/** What becomes of a connection, for whoever opened it. Nothing more is said once it is cut. */
export interface Listener {
  /** The server has answered: with 101 or 200 if it is as it should be. */
  opened(status: number): void;
  /** @param id the last event's that had one, where it is a stream */
  frame(frame: Frame, id: string | undefined): void;
  /** It is over, and was not cut from this side. Undefined where the server has not said that this is the end. */
  over(end: End | undefined): void;
  /** Something came that cannot be. */
  failed(cause: unknown): void;
}

/** How the server has said that this is the end: a WebSocket's with a code. */
export type End = { code: number | undefined };

/** What makes frames of the bytes of one transport. */
interface Reader {
  push(bytes: Buffer): void;
  /** The status of the answer; 0 before it is there. */
  readonly status: number;
  /** Whether the server has said that this is the end, and with what code. */
  readonly end: End | undefined;
}

type Take = (frame: Frame, id?: string) => void;

/** A connection over plain TCP, for what no proper client does: not read for a while, vanish at any byte. */
export class Wire {
  readonly #socket: Socket;
  readonly #listener: Listener;
  readonly #reader: Reader;
  #open = false;
  #midFrame = false;
  readonly #waiting: Buffer[] = [];
  #over = false;
  #bytesLeft = Number.POSITIVE_INFINITY;
  #wasCut = () => {};

  private constructor(port: number, request: string, listener: Listener, reader: (wire: Wire, take: Take) => Reader) {
    this.#listener = listener;
    this.#socket = connect(port, "127.0.0.1");
    this.#reader = reader(this, (frame, id) => {
      if (!this.#over) listener.frame(frame, id);
    });
    this.#socket.on("error", () => {});
    this.#socket.on("data", (bytes: Buffer) => this.#take(bytes));
    this.#socket.on("close", () => this.#end(undefined));
    this.#socket.write(request);
  }

  static webSocket(port: number, listener: Listener): Wire {
    return new Wire(port, UPGRADE, listener, ({ raw }, take) => {
      const reader = new WebSocketReader((frame) => take(frame), raw);
      return {
        push: (bytes) => reader.push(bytes),
        get status() {
          return reader.open ? (reader.refused ? 400 : 101) : 0;
        },
        get end() {
          return reader.close;
        },
      };
    });
  }

  static eventStream(port: number, request: StreamRequest, listener: Listener): Wire {
    return new Wire(port, streamRequest(request), listener, (_wire, take) => {
      const event = (frame: Frame, { lastEventId }: { lastEventId: string }) => {
        // One who comes back to a topic that is not there is told so in an event, or it would not come back again.
        if (frame.type !== "error" || frame.error.code !== "TOPIC_NOT_FOUND") take(frame, lastEventId);
      };
      const { response } = new StreamResponse({ event, comment: () => {} });
      return {
        push: (bytes) => response.push(bytes),
        get status() {
          return response.status;
        },
        get end() {
          return response.complete ? { code: undefined } : undefined;
        },
      };
    });
  }

  /** Sends a frame a piece at a time, `pause` after each. */
  async sendSlowly(frame: object, pieces: number, pause: () => Promise<void>): Promise<void> {
    const bytes = encodeClientFrame(JSON.stringify(frame));
    const size = Math.ceil(bytes.length / pieces);
    this.#midFrame = true;
    for (let at = 0; at < bytes.length; at += size) {
      this.#socket.write(bytes.subarray(at, at + size));
      await pause();
    }
    this.#midFrame = false;
    for (const waiting of this.#waiting.splice(0)) this.#socket.write(waiting);
  }

  send(frame: object): void {
    this.#socket.write(encodeClientFrame(JSON.stringify(frame)));
  }

  /** Sends the bytes of a control frame, which has to wait for the end of a frame that is being sent. */
  readonly raw = (bytes: Buffer): void => {
    if (this.#midFrame) this.#waiting.push(bytes);
    else this.#socket.write(bytes);
  };

  /** Reads nothing more, until `read`. */
  stall(): void {
    this.#socket.pause();
  }

  read(): void {
    if (!this.#over) this.#socket.resume();
  }

  /** Gone at once, without a close frame, and without reading what had come. */
  cut(): void {
    this.#over = true;
    this.#socket.resetAndDestroy();
  }

  /** Cut when so many more bytes were received, wherever in a frame that is. */
  cutAfter(bytes: number, wasCut: () => void): void {
    this.#bytesLeft = bytes;
    this.#wasCut = wasCut;
  }

  #take(bytes: Buffer): void {
    if (this.#over) return;
    try {
      this.#reader.push(bytes.subarray(0, this.#bytesLeft));
      if (!this.#open && this.#reader.status > 0) {
        this.#open = true;
        this.#listener.opened(this.#reader.status);
      }
    } catch (cause) {
      this.#listener.failed(cause);
    }
    const { end } = this.#reader;
    this.#bytesLeft -= bytes.length;
    if (end !== undefined) {
      this.#end(end);
      this.#socket.destroy();
    } else if (this.#bytesLeft <= 0) {
      this.cut();
      this.#wasCut();
    }
  }

  #end(end: End | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#listener.over(end);
  }
}
