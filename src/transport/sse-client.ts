import type { Connection } from "../broker/connection.ts";
import type { Batch } from "../broker/ports.ts";
import type { Look } from "../kernel/progress.ts";
import type { Address } from "../kernel/sockets.ts";
import type { Clock } from "../ops/clock.ts";
import type { Logger } from "../ops/logger.ts";
import type { Close } from "../protocol/codes.ts";
import { encodeAnswer, encodeNotice, type Notice, type Subscribed } from "../protocol/encode.ts";
import type { Overflow } from "../protocol/frames.ts";
import { COMMENT, eventId, retryField, streamEvent } from "../protocol/event-stream.ts";
import type { Client, Clients } from "./clients.ts";

const utf8 = new TextEncoder();

/** The burst that was encoded last: the same array goes to every subscriber of a topic. */
let encoded: { texts: readonly string[]; bytes: Uint8Array<ArrayBuffer> } | undefined;

function encodeBurst(epoch: string, texts: readonly string[], first: number): Uint8Array<ArrayBuffer> {
  if (encoded?.texts !== texts) {
    const events = texts.map((text, index) => streamEvent(text, { id: eventId({ epoch, seq: first + index }) }));
    encoded = { texts, bytes: utf8.encode(events.join("")) };
  }
  return encoded.bytes;
}

/**
 * A stream of server-sent events as an outlet: for one subscription, which begins with the stream.
 *
 * Blocked until the stream is there to be written to, and whenever the kernel takes no more.
 */
export class SseClient implements Client {
  readonly transport = "sse";
  readonly connectedAt = Date.now();
  readonly connection: Connection;
  blocked = true;
  unanswered = 0;
  look: Look | undefined;
  readonly remote: Address | undefined;
  get address(): string | undefined {
    return this.remote?.address;
  }

  readonly #clock: Clock;
  readonly #clients: Clients;
  readonly #log: Logger;
  readonly #ended = Promise.withResolvers<void>();
  #stream: ReadableStreamDirectController | undefined;
  #epoch = "";
  #passesGaps = true;
  #batching = false;
  /** What was sent during a batch, or before the stream was there. */
  #gathered = "";
  /** The size of what was written last, which is all that may be unsent. */
  #written = 0;
  #closing = false;

  constructor({ clock, clients, log }: { clock: Clock; clients: Clients; log: Logger }, remote: Address | undefined) {
    this.#clock = clock;
    this.#clients = clients;
    this.#log = log;
    this.remote = remote;
    this.connection = clients.connect(this);
  }

  /**
   * Sends the first event of the stream. Its id is the position that those which follow start from.
   *
   * @param overflow what is to become of it when it is slow
   */
  begin(subscribed: Subscribed, overflow: Overflow | undefined): void {
    const { epoch, seq, replay } = subscribed;
    this.#epoch = epoch;
    this.#passesGaps = overflow !== "disconnect";
    const ack = encodeAnswer({ type: "ack", status: "ok", ...subscribed }, undefined, this.#clock.iso());
    this.#send(retryField() + streamEvent(ack, { name: "subscribed", id: eventId({ epoch, seq: seq - replay }) }));
  }

  /** Writes to `stream` from now on. Resolves when the stream has come to its end. */
  attach(stream: ReadableStreamDirectController): Promise<void> {
    this.#stream = stream;
    this.blocked = false;
    this.#write(this.#taken());
    if (!this.blocked) this.#unblocked();
    return this.#ended.promise;
  }

  get sentAll(): boolean {
    return !this.blocked;
  }

  batch(batch: Batch): void {
    this.#batching = true;
    try {
      batch.write();
    } finally {
      this.#batching = false;
    }
    this.#write(this.#taken());
  }

  event(text: string, seq: number): void {
    this.#send(streamEvent(text, { id: eventId({ epoch: this.#epoch, seq }) }));
  }

  burst(texts: readonly string[], first: number): void {
    this.#write(encodeBurst(this.#epoch, texts, first));
  }

  notice(notice: Notice): void {
    const text = encodeNotice(notice, this.#clock.iso());
    if (notice.type === "info") {
      this.#send(streamEvent(text, { name: "info" }));
      return;
    }
    // Who was told of a gap has passed it: on its return it is not sent what it was told is dropped. Save one who
    // asked to be disconnected, who would rather return than have the gap.
    const passed = { id: eventId({ epoch: this.#epoch, seq: notice.error.last_seq }) };
    this.#send(streamEvent(text, { name: "slow_consumer", ...(this.#passesGaps ? passed : {}) }));
  }

  listen(): void {}

  get unsentBytes(): number {
    return this.blocked ? this.#written : 0;
  }

  /** Nothing answers a comment: that the kernel still takes what is sent is all the life that can be seen. */
  ping(): void {
    if (this.blocked) return;
    this.unanswered = 0;
    this.#send(COMMENT);
  }

  /** Ends the stream once the kernel has taken what was sent, which it delivers by itself from then on. */
  close(close: Close): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#clients.closing(this, close);
    if (!this.blocked) this.#clients.received(this);
  }

  finish(): void {
    if (this.blocked) return this.cut();
    void this.#stream?.end();
    this.gone("the stream has ended");
  }

  cut(): void {
    this.#stream?.close(new Error("cut off"));
    this.gone("cut off");
  }

  /** To be called when the connection is closed. */
  gone(reason: string): void {
    this.blocked = true;
    this.#stream = undefined;
    this.#gathered = "";
    this.#ended.resolve();
    this.#clients.gone(this, reason);
  }

  #send(text: string): void {
    if (this.#batching || this.#stream === undefined) this.#gathered += text;
    else this.#write(text);
  }

  #taken(): string {
    const text = this.#gathered;
    this.#gathered = "";
    return text;
  }

  #write(chunk: string | Uint8Array<ArrayBuffer>): void {
    if (this.#stream === undefined || chunk.length === 0) return;
    this.#written = this.blocked ? this.#written + chunk.length : chunk.length;
    const written = this.#stream.write(chunk);
    this.#stream.flush();
    if (typeof written === "number" || this.blocked) return;
    // The chunk was taken all the same; no more follow until it has gone.
    this.blocked = true;
    written
      .then(() => this.#unblocked())
      .catch((cause: unknown) => this.#log.error("fault while an event stream went on", { cause }));
  }

  #unblocked(): void {
    if (this.#stream === undefined) return;
    this.blocked = false;
    this.unanswered = 0;
    if (this.#closing) this.#clients.received(this);
    else this.#clients.drained(this);
  }
}
