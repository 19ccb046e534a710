import type { ServerWebSocket } from "bun";
import type { Connection } from "../broker/connection.ts";
import type { Batch, Outlet } from "../broker/ports.ts";
import type { Clock } from "../ops/clock.ts";
import type { Close } from "../protocol/codes.ts";
import { encodeAnswer, encodeNotice, type Answer, type Notice } from "../protocol/encode.ts";
import type { RawJson } from "../protocol/json-text.ts";

/** Answers that a client may leave unread, in UTF-16 code units, before nothing more is read from it. */
export const MAX_UNREAD_ANSWERS = 64 * 1024;

/** What `ServerWebSocket.send` returns for a frame that waits in user space, the kernel having taken no more. */
const ENQUEUED = -1;

let corked: Batch | undefined;
const writeCorked = () => corked?.write();

/** A WebSocket as an outlet: blocked as soon as the kernel takes no more, until everything was taken. */
export class WebSocketClient implements Outlet {
  blocked = false;
  /** The heartbeat during which it last gave a sign of life. */
  seen = 0;
  readonly connection: Connection;
  readonly #socket: ServerWebSocket<unknown>;
  readonly #clock: Clock;
  #unread = 0;

  constructor(socket: ServerWebSocket<unknown>, clock: Clock, connect: (outlet: Outlet) => Connection) {
    this.#socket = socket;
    this.#clock = clock;
    this.connection = connect(this);
  }

  batch(batch: Batch): void {
    corked = batch;
    this.#socket.cork(writeCorked);
    // Inside a cork every send looks taken; only now does it show.
    if (this.#socket.getBufferedAmount() > 0) this.blocked = true;
  }

  event(text: string): void {
    this.#sent(this.#socket.sendText(text));
  }

  notice(notice: Notice): void {
    this.#sent(this.#socket.sendText(encodeNotice(notice, this.#clock.iso())));
  }

  answer(answer: Answer, requestId: RawJson | undefined): void {
    this.answerText(encodeAnswer(answer, requestId, this.#clock.iso()));
  }

  /** Answers a request. A client that leaves too many answers unread is not listened to until it has read them all. */
  answerText(text: string): void {
    const status = this.#socket.sendText(text);
    this.#sent(status);
    if (status !== ENQUEUED) return;
    this.#unread += text.length;
    if (this.#unread > MAX_UNREAD_ANSWERS && !this.#socket.isPaused) this.#socket.pause();
  }

  /** Takes note that the kernel has taken some of what waited. Returns whether the client was blocked and is no more. */
  unblock(): boolean {
    if (!this.blocked || this.#socket.getBufferedAmount() > 0) return false;
    this.blocked = false;
    this.#unread = 0;
    if (this.#socket.isPaused) this.#socket.resume();
    return true;
  }

  ping(): void {
    this.#sent(this.#socket.ping());
  }

  close({ code, reason }: Close): void {
    this.#socket.close(code, reason);
  }

  /** A frame that was not taken at all, status 0, can only be one for a socket that is closed. */
  #sent(status: number): void {
    if (status <= 0) this.blocked = true;
  }
}
