import type { Connection } from "../broker/connection.ts";
import type { Batch, Crowd, Outlet } from "../broker/ports.ts";
import type { Look } from "../kernel/progress.ts";
import type { Address } from "../kernel/sockets.ts";
import type { Clock } from "../ops/clock.ts";
import type { Close } from "../protocol/codes.ts";
import { encodeAnswer, encodeNotice, type Answer, type Notice } from "../protocol/encode.ts";
import type { RawJson } from "../protocol/json-text.ts";
import type { Client, Clients } from "./clients.ts";
import { HEARTBEAT_TOPIC } from "./heartbeat.ts";
import { Receipts } from "./receipts.ts";
import { noteBlocking, sendTexts, Sockets, type Socket } from "./websocket-crowd.ts";

/** Answers that any client may leave unread, in UTF-16 code units. */
const FREE_UNREAD_ANSWERS = 16 * 1024;

/** The same at the most, where all clients together leave room for it; then nothing more is read from it. */
export const MAX_UNREAD_ANSWERS = 4 * 1024 * 1024;

/** What a ping behind the last frame carries, and its pong brings back (RFC 6455 §5.5.3): all before it was read. */
const RECEIPT = "read so far";

/** The same in the middle of many events: those before it were read. */
const PASSED = "passed";

/** What `ServerWebSocket.send` returns for a frame that waits in user space, the kernel having taken no more. */
const ENQUEUED = -1;

let corked: Batch | undefined;
const writeCorked = () => corked?.write();

/** A WebSocket as an outlet: blocked once the kernel takes no more, until everything was taken. */
export class WebSocketClient implements Client {
  // What a flush asks of every client comes first, so that it lies close together.
  blocked = false;
  readonly #socket: Socket;
  readonly transport = "websocket";
  readonly connectedAt = Date.now();
  unanswered = 0;
  look: Look | undefined;
  readonly connection: Connection;
  readonly #clock: Clock;
  readonly #clients: Clients;
  #unread = 0;
  #paused = false;
  #looksAgain = false;
  #closing: Close | undefined;
  /** Made with the first event: of a hundred thousand idle clients each field counts. */
  #receipts: Receipts | undefined;

  constructor(socket: Socket, clock: Clock, clients: Clients) {
    this.#socket = socket;
    this.#clock = clock;
    this.#clients = clients;
    this.connection = clients.connect(this);
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

  batch(batch: Batch): void {
    corked = batch;
    this.#socket.cork(writeCorked);
    // Inside a cork every send looks taken; only now does it show.
    this.#look();
  }

  event(text: string): void {
    this.sent(this.#socket.sendText(text));
    this.#count(text.length);
  }

  burst(texts: readonly string[]): void {
    this.sent(sendTexts(this.#socket, texts));
    for (const text of texts) this.#count(text.length);
  }

  #count(length: number): void {
    if ((this.#receipts ?? this.receipts).count(length)) this.askReceipt();
  }

  get receipts(): Receipts {
    if (this.#receipts === undefined) {
      this.#receipts = new Receipts(this.#clients.windowBytes);
      // So that it is known early whether the client answers at all.
      this.askReceipt();
    }
    return this.#receipts;
  }

  askReceipt(): void {
    if (this.receipts.due()) this.#socket.ping(PASSED);
    else if (this.receipts.behind) this.#block();
  }

  crowd(outlets: readonly Outlet[]): Crowd | undefined {
    const clients: WebSocketClient[] = [];
    const sockets: Socket[] = [];
    for (const outlet of outlets) {
      if (!(outlet instanceof WebSocketClient)) return undefined;
      clients.push(outlet);
      sockets.push(outlet.#socket);
    }
    return new Sockets(clients, sockets, this.#clients.windowBytes);
  }

  notice(notice: Notice): void {
    this.sent(this.#socket.sendText(encodeNotice(notice, this.#clock.iso())));
  }

  answer(answer: Answer, requestId: RawJson | undefined): void {
    this.answerText(encodeAnswer(answer, requestId, this.#clock.iso()));
  }

  /** Answers a request. A client that leaves too many answers unread is not listened to until it has read them all. */
  answerText(text: string): void {
    const status = this.#socket.sendText(text);
    this.sent(status);
    if (status !== ENQUEUED) return;
    this.#unread += text.length;
    this.#clients.budget.take(text.length);
    if (this.#mustPause(this.#unread)) this.#pause();
  }

  #mustPause(unread: number): boolean {
    return unread > MAX_UNREAD_ANSWERS || (unread > FREE_UNREAD_ANSWERS && !this.#clients.budget.hasRoom(0));
  }

  /** Takes note of a ping frame, which Bun has answered by itself. */
  pinged(): void {
    this.unanswered = 0;
    this.#look();
    if (this.#mustPause(this.#socket.getBufferedAmount())) this.#pause();
  }

  /** Whether its frames are handled: not once it is to be closed. */
  get open(): boolean {
    return this.#closing === undefined;
  }

  /** Takes note of a pong. */
  ponged(payload: string): void {
    this.unanswered = 0;
    if (payload === PASSED) this.#passed();
    if (this.#closing !== undefined && payload === RECEIPT) this.#clients.received(this);
  }

  get sentAll(): boolean {
    this.#look();
    return !this.blocked;
  }

  /** Takes note that the kernel may have taken what waited, and goes on if it has taken all. */
  drained(): void {
    if (!this.blocked || this.#socket.getBufferedAmount() > 0) return;
    this.#forgetUnread();
    // Its pong has to be read.
    this.#resume();
    if (this.#receipts?.behind === true) return;
    this.blocked = false;
    this.#clients.drained(this);
  }

  #passed(): void {
    const wasBehind = this.receipts.behind;
    this.receipts.answered();
    if (wasBehind) this.drained();
  }

  #block(): void {
    if (!this.blocked) noteBlocking();
    this.blocked = true;
  }

  /** To be called once the connection is closed. */
  gone(reason: string): void {
    this.#forgetUnread();
    this.#clients.gone(this, reason);
  }

  #forgetUnread(): void {
    this.#clients.budget.release(this.#unread);
    this.#unread = 0;
  }

  #pause(): void {
    if (this.#paused || !this.open) return;
    this.#paused = true;
    this.#socket.pause();
    this.#clients.paused(this);
  }

  #resume(): void {
    if (this.#paused) this.#socket.resume();
    this.#paused = false;
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
    this.#clients.closing(this, close);
    this.#socket.ping(RECEIPT);
    // Its pong has to be read.
    this.#resume();
  }

  finish(): void {
    this.#socket.close(this.#closing?.code, this.#closing?.reason);
  }

  cut(): void {
    this.#socket.terminate();
  }

  /** Takes note of what Bun says of something that was sent. */
  sent(status: number): void {
    if (status <= 0 || this.blocked) this.#look();
  }

  /** Brings `blocked` up to date with what the kernel has left of all that was sent. */
  #look(): void {
    if (this.#socket.getBufferedAmount() > 0) this.#block();
    else if (this.blocked && !this.#looksAgain) {
      // The kernel took the backlog along with what was sent just now: of that no drain event tells.
      this.#looksAgain = true;
      this.#clients.soon(() => {
        this.#looksAgain = false;
        if (this.#socket.readyState === WebSocket.OPEN) this.drained();
      });
    }
  }
}
