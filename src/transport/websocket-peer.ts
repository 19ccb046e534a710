import type { Batch } from "../broker/ports.ts";
import type { Session } from "../broker/session.ts";
import type { Look } from "../kernel/progress.ts";
import type { Address } from "../kernel/sockets.ts";
import type { AnswerBudget } from "../ops/answer-budget.ts";
import type { Clock } from "../ops/clock.ts";
import type { NextTurn } from "../ops/next-turn.ts";
import type { Throttle } from "../ops/throttle.ts";
import type { Close } from "../protocol/codes.ts";
import { encodeNotice } from "../protocol/encode.ts";
import type { Notice } from "../protocol/frames.ts";
import { factsOf, type ConnectedPeer } from "./connected-peer.ts";
import { HEARTBEAT_TOPIC } from "./heartbeat.ts";
import type { PeerRegistry } from "./peer-registry.ts";
import { Reading } from "./reading.ts";
import { Receipts } from "./receipts.ts";
import { MAX_REQUESTS_UNDER_WAY, RequestOrder, type Answerer } from "./request-order.ts";
import type { Socket } from "./socket.ts";

/** What every peer of a server shares. */
export type WebSocketPeerDeps = {
  registry: PeerRegistry;
  clock: Clock;
  throttle: Throttle;
  nextTurn: NextTurn;
  /** What all clients together may leave unread of their answers. */
  budget: AnswerBudget;
  /** What may be on its way to a client, in bytes. */
  sendBufferBytes: number;
};

/** What a ping behind the last frame carries, and its pong brings back (RFC 6455 §5.5.3): all before it was read. */
const RECEIPT = "read so far";

/** The same in the middle of many events: those before it were read. */
const PASSED = "passed";

/** What `ServerWebSocket.send` returns for a frame that waits in user space, the kernel having taken no more. */
const ENQUEUED = -1;

/** A WebSocket as a peer: blocked once the kernel takes no more, until everything was taken. */
export class WebSocketPeer implements ConnectedPeer, Answerer {
  // What a flush asks of every peer comes first, so that it lies close together.
  blocked = false;
  readonly #socket: Socket;
  /** What was sent since the last receipt was due, in UTF-16 code units. */
  #sinceReceipt = 0;
  /** Made with the first event: of a hundred thousand idle clients each field counts. */
  #receipts: Receipts | undefined;
  readonly transport = "websocket";
  readonly connectedAt = Date.now();
  unanswered = 0;
  look: Look | undefined;
  /** Whether its frames are handled: not once it is to be closed, or is gone. */
  open = true;
  readonly session: Session;
  readonly #deps: WebSocketPeerDeps;
  /** Made with the first request that takes its time. */
  #requests: RequestOrder | undefined;
  readonly #reading: Reading;
  #looksAgain = false;
  #closing: Close | undefined;

  /** @param connect makes the session of this peer */
  constructor(socket: Socket, deps: WebSocketPeerDeps, connect: (peer: WebSocketPeer) => Session) {
    this.#socket = socket;
    this.#deps = deps;
    this.#reading = new Reading(socket, deps.budget);
    this.session = connect(this);
  }

  get address(): string {
    return this.#socket.remoteAddress;
  }

  get remote(): Address | undefined {
    const { port } = this.#socket.data;
    return port === undefined ? undefined : { address: this.address, port };
  }

  get unsentBytes(): number {
    return this.#socket.getBufferedAmount();
  }

  send(texts: readonly string[]): void {
    const [first] = texts;
    if (first !== undefined && texts.length === 1) return this.event(first);
    let worst = Number.POSITIVE_INFINITY;
    let length = 0;
    // What the kernel leaves of the last of it, which goes out as the cork ends, shows when something is sent next.
    this.#socket.cork((socket) => {
      for (const text of texts) {
        worst = Math.min(worst, socket.sendText(text));
        length += text.length;
      }
    });
    this.#note(worst);
    this.#count(length);
  }

  batch(batch: Batch): void {
    this.#socket.cork(() => batch.write());
    // Inside a cork every send looks taken; only now does it show.
    this.#look();
  }

  event(text: string): void {
    this.#note(this.#socket.sendText(text));
    this.#count(text.length);
  }

  #count(length: number): void {
    this.#sinceReceipt += length;
    if (this.#receipts !== undefined && this.#sinceReceipt < this.#deps.sendBufferBytes) return;
    this.#sinceReceipt = 0;
    // The first is asked for at once, so that it is known early whether the client answers at all.
    this.#receipts ??= new Receipts();
    if (this.#receipts.due()) this.#socket.ping(PASSED);
    else if (this.#receipts.behind) this.blocked = true;
  }

  notice(notice: Notice): void {
    this.#note(this.#socket.sendText(encodeNotice(notice, this.#deps.clock.iso())));
  }

  /** Answers a request. A client that leaves too many answers unread is not listened to until it has read them all. */
  answerText(text: string): void {
    const status = this.#socket.sendText(text);
    this.#note(status);
    if (status === ENQUEUED && this.#reading.addUnread(text.length)) this.#pauseForUnread();
  }

  /** Takes note of a ping frame, which Bun has answered by itself. */
  pinged(): void {
    this.unanswered = 0;
    this.#look();
    if (this.#reading.isTooMuch(this.#socket.getBufferedAmount())) this.#pauseForUnread();
  }

  /** Takes note of a pong. */
  ponged(payload: string): void {
    this.unanswered = 0;
    if (payload === PASSED) this.#passed();
    if (this.#closing !== undefined && payload === RECEIPT) this.#deps.registry.received(this);
  }

  get sentAll(): boolean {
    this.#look();
    return !this.blocked;
  }

  /** Takes note that the kernel may have taken what waited, and goes on if it has taken all. */
  drained(): void {
    if (!this.blocked || this.#socket.getBufferedAmount() > 0) return;
    this.#reading.forgetUnread();
    // Its pong has to be read.
    this.#reading.resume("unread answers");
    if (this.#receipts?.behind === true) return;
    this.blocked = false;
    this.#deps.registry.drained(this);
  }

  #passed(): void {
    const wasBehind = this.#receipts?.behind === true;
    this.#receipts?.answered();
    if (wasBehind) this.drained();
  }

  /** To be called once the connection is closed. */
  gone(reason: string): void {
    this.open = false;
    this.#reading.forgetUnread();
    this.#deps.registry.gone(this, reason);
  }

  /** The order of its requests, as far as any takes its time. */
  get requests(): RequestOrder {
    this.#requests ??= new RequestOrder(this, () => {
      if (this.underWay <= MAX_REQUESTS_UNDER_WAY / 2) this.#reading.resume("requests under way");
    });
    return this.#requests;
  }

  /** How many of its requests are under way or wait. */
  get underWay(): number {
    return this.#requests?.size ?? 0;
  }

  /** To be called when a request is under way or waits: nothing more is read where there are too many. */
  limitUnderWay(): void {
    if (this.open && this.underWay >= MAX_REQUESTS_UNDER_WAY) this.#reading.pause("requests under way");
  }

  #pauseForUnread(): void {
    if (!this.open || !this.#reading.pause("unread answers")) return;
    const message = "a client does not read its answers: nothing more is read from it until it does";
    this.#deps.throttle.warn(message, factsOf(this));
  }

  listen(on: boolean): void {
    if (on) this.#socket.subscribe(HEARTBEAT_TOPIC);
    else this.#socket.unsubscribe(HEARTBEAT_TOPIC);
  }

  ping(): void {
    // Its status is no use: 0 stands for a ping without a payload as well as for one that was dropped.
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
    // Its pong has to be read.
    this.#reading.resume("unread answers");
    this.#reading.resume("requests under way");
  }

  finish(): void {
    this.#socket.close(this.#closing?.code, this.#closing?.reason);
  }

  cut(): void {
    this.#socket.terminate();
  }

  /** Takes note of what Bun says of something that was sent. */
  #note(status: number): void {
    if (status <= 0 || this.blocked) this.#look();
  }

  /** Brings `blocked` up to date with what the kernel has left of all that was sent. */
  #look(): void {
    if (this.#socket.getBufferedAmount() > 0) this.blocked = true;
    else if (this.blocked && !this.#looksAgain) {
      // The kernel took the backlog along with what was sent just now: of that no drain event tells.
      this.#looksAgain = true;
      this.#deps.nextTurn(() => {
        this.#looksAgain = false;
        if (this.#socket.readyState === WebSocket.OPEN) this.drained();
      });
    }
  }
}
