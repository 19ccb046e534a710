import type { Grant } from "../auth/permissions.ts";
import type { Batch } from "../broker/ports.ts";
import type { Session } from "../broker/session.ts";
import type { Look } from "../kernel/progress.ts";
import type { Address } from "../kernel/sockets.ts";
import { endingBy, ENDINGS, type Ending } from "../ops/connection-endings.ts";
import type { Close } from "../protocol/codes.ts";
import { encodeNotice } from "../protocol/encode.ts";
import type { Notice } from "../protocol/frames.ts";
import { factsOf, type ConnectedPeer } from "./connected-peer.ts";
import { HEARTBEAT_TOPIC } from "./heartbeat.ts";
import type { Frame, Sender } from "./intake.ts";
import { Reading } from "./reading.ts";
import { PASSED, RECEIPT, Receipts } from "./receipts.ts";
import { RequestOrder, type Answerer } from "./request-order.ts";
import { ENQUEUED, sendText, type Socket } from "./socket.ts";
import type { WebSocketPeerDeps } from "./websocket-deps.ts";

/** A WebSocket as a peer. It is blocked while bytes wait for the kernel, or the client is behind with its receipts. */
export class WebSocketPeer implements ConnectedPeer, Answerer, Sender {
  // A flush reads these fields of every peer. They come first, so that they lie close together.
  blocked = false;
  readonly #socket: Socket;
  /** What was sent since the last receipt was due, in UTF-16 code units. */
  #sinceReceipt = 0;
  /** Made with the first event: with a hundred thousand idle clients, each field counts. */
  #receipts: Receipts | undefined;
  readonly transport = "websocket";
  readonly connectedAt = Date.now();
  unanswered = 0;
  look: Look | undefined;
  /** Whether its frames are handled. False once it is being closed, or is gone. */
  open = true;
  readonly session: Session;
  grant: Grant | undefined;
  readonly #deps: WebSocketPeerDeps;
  /** Made with the first request that waits for an engine. */
  #requests: RequestOrder | undefined;
  readonly #reading: Reading;
  readonly waiting: Frame[] = [];
  turn = -1;
  handled = 0;
  #looksAgain = false;
  #closing: Close | undefined;
  ending: Ending | undefined;

  /** @param connect makes the session of this peer */
  constructor(socket: Socket, deps: WebSocketPeerDeps, connect: (peer: WebSocketPeer) => Session) {
    this.#socket = socket;
    this.#deps = deps;
    this.#reading = new Reading(socket, deps.budget);
    this.session = connect(this);
  }

  get address(): string {
    return this.#socket.data.address ?? this.#socket.remoteAddress;
  }

  get traceparent(): string | undefined {
    return this.#socket.data.traceparent;
  }

  get remote(): Address | undefined {
    const { port } = this.#socket.data;
    return port === undefined ? undefined : { address: this.#socket.remoteAddress, port };
  }

  get unsentBytes(): number {
    return this.#socket.getBufferedAmount();
  }

  send(texts: readonly string[]): void {
    const [first] = texts;
    if (first !== undefined && texts.length === 1) return this.event(first);
    let worst = Number.POSITIVE_INFINITY;
    let length = 0;
    // The rest goes out when the cork ends. What the kernel leaves of it shows with the next send.
    this.#socket.cork((socket) => {
      for (const text of texts) {
        worst = Math.min(worst, socket.sendText(text));
        length += text.length;
      }
    });
    this.#deps.metrics.sent.websocket += this.#deps.sizes.of(texts);
    this.#note(worst);
    this.#count(length);
  }

  batch(batch: Batch): void {
    this.#socket.cork(() => batch.write());
    // Inside a cork every send looks taken. What the kernel has left shows only now.
    this.#look();
  }

  event(text: string): void {
    this.#note(sendText(this.#socket, text, this.#deps.metrics.sent));
    this.#count(text.length);
  }

  #count(length: number): void {
    this.#sinceReceipt += length;
    if (this.#receipts !== undefined && this.#sinceReceipt < this.#deps.sendBufferBytes) return;
    this.#sinceReceipt = 0;
    // The first receipt is asked for at once, to learn early whether the client answers at all.
    this.#receipts ??= new Receipts();
    if (this.#receipts.due()) this.#socket.ping(PASSED);
    else if (this.#receipts.behind) this.blocked = true;
  }

  notice(notice: Notice): void {
    const { clock, metrics } = this.#deps;
    this.#note(sendText(this.#socket, encodeNotice(notice, clock.iso()), metrics.sent));
  }

  /** Answers a request. If a client leaves too many answers unread, nothing is read from it until it has taken them all. */
  answerText(text: string): void {
    const status = sendText(this.#socket, text, this.#deps.metrics.sent);
    this.#note(status);
    if (status === ENQUEUED && this.#reading.addUnread(text.length)) this.#pauseForUnread();
  }

  /** Handles a ping frame, which Bun has answered by itself. */
  pinged(): void {
    this.unanswered = 0;
    this.#look();
    if (this.#reading.isTooMuch(this.#socket.getBufferedAmount())) this.#pauseForUnread();
  }

  /** Handles a pong. */
  ponged(payload: string): void {
    this.unanswered = 0;
    if (payload === PASSED && this.#receipts?.answered() === true) this.drained();
    if (this.#closing !== undefined && payload === RECEIPT) this.#deps.registry.received(this);
  }

  hold(): void {
    this.blocked = true;
  }

  get sentAll(): boolean {
    this.#look();
    return !this.blocked;
  }

  drained(): void {
    if (!this.blocked || this.#socket.getBufferedAmount() > 0) return;
    const { unsent } = this.#deps.registry;
    unsent.forget(this);
    this.#reading.forgetUnread();
    // The client's pong has to be read.
    this.#reading.resume("unread answers");
    if (this.#receipts?.behind === true || unsent.holds(this)) return;
    this.blocked = false;
    this.#deps.registry.drained(this);
  }

  /** Call once the connection is closed. */
  gone(code: number, reason: string): void {
    this.open = false;
    this.#reading.forgetUnread();
    this.ending ??= endingBy(code, reason);
    this.#deps.registry.gone(this, `${code}${reason === "" ? "" : ` ${reason}`}`);
  }

  /** The order of its requests, made when one waits for an engine. */
  get requests(): RequestOrder {
    this.#requests ??= new RequestOrder(this, () => {
      if (this.underWay <= this.#deps.maxRequestsUnderWay / 2) this.#reading.resume("requests under way");
    });
    return this.#requests;
  }

  /** How many of its requests are under way or wait. */
  get underWay(): number {
    return this.#requests?.size ?? 0;
  }

  /** Call when a request is under way or waits. Stops reading if there are too many. */
  limitUnderWay(): void {
    if (this.open && this.underWay >= this.#deps.maxRequestsUnderWay) this.#reading.pause("requests under way");
  }

  get hasUnread(): boolean {
    return this.open && this.#reading.isPausedFor("unread answers");
  }

  crowd(on: boolean): void {
    if (on) this.#reading.pause("frames that wait");
    else this.#reading.resume("frames that wait");
  }

  #pauseForUnread(): void {
    if (!this.open || !this.#reading.pause("unread answers")) return;
    this.#deps.throttle.warn("a client does not read its answers: it is read no further until it does", factsOf(this));
  }

  listen(on: boolean): void {
    if (on) this.#socket.subscribe(HEARTBEAT_TOPIC);
    else this.#socket.unsubscribe(HEARTBEAT_TOPIC);
  }

  ping(): void {
    // The status is of no use: 0 means a ping without a payload as well as one that was dropped.
    this.#socket.ping();
    this.#look();
  }

  /** Closes the connection once the client has read what it was sent. */
  close(close: Close): void {
    if (this.#closing !== undefined) return;
    this.#closing = close;
    this.open = false;
    this.#deps.registry.closing(this, close);
    this.#socket.ping(RECEIPT);
    this.waiting.length = 0;
    // The client's pong has to be read.
    this.#reading.resumeAll();
  }

  finish(): void {
    this.#socket.close(this.#closing?.code, this.#closing?.reason);
  }

  cut(): void {
    this.ending ??= ENDINGS.cutOff;
    this.#socket.terminate();
  }

  /** Handles the status that Bun returns for what was sent. */
  #note(status: number): void {
    if (status <= 0 || this.blocked) this.#look();
  }

  /** Updates `blocked` from what the kernel has left of all that was sent. */
  #look(): void {
    const unsent = this.#socket.getBufferedAmount();
    if (unsent > 0) {
      this.blocked = true;
      this.#deps.registry.unsent.note(this, unsent);
    } else if (this.blocked && !this.#looksAgain) {
      // The kernel took the backlog along with what was sent just now. No drain event tells of that.
      this.#looksAgain = true;
      this.#deps.nextTurn(() => {
        this.#looksAgain = false;
        if (this.#socket.readyState === WebSocket.OPEN) this.drained();
      });
    }
  }
}
