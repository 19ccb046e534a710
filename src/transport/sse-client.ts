import type { Connection } from "../broker/connection.ts";
import type { Batch } from "../broker/ports.ts";
import type { Clock } from "../ops/clock.ts";
import type { Logger } from "../ops/logger.ts";
import type { Close } from "../protocol/codes.ts";
import { encodeAnswer, encodeNotice, type Notice, type Subscribed } from "../protocol/encode.ts";
import type { Overflow } from "../protocol/frames.ts";
import { COMMENT, eventId, streamEvent } from "../protocol/event-stream.ts";
import type { Client, Clients } from "./clients.ts";

/** How long a stream that is to end waits for a reader that does not take what it was sent. */
const CLOSE_PATIENCE_MS = 5000;

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
  seen: number;
  readonly #clock: Clock;
  readonly #clients: Clients;
  readonly #log: Logger;
  readonly #ended = Promise.withResolvers<void>();
  #stream: ReadableStreamDirectController | undefined;
  #epoch = "";
  #passesHoles = true;
  #beat: number;
  #batching = false;
  /** What was sent during a batch, or before the stream was there. */
  #gathered = "";
  #patience: ReturnType<typeof setTimeout> | undefined;

  constructor({ clock, clients, log }: { clock: Clock; clients: Clients; log: Logger }, beat: number) {
    this.#clock = clock;
    this.#clients = clients;
    this.#log = log;
    this.seen = beat;
    this.#beat = beat;
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
    this.#passesHoles = overflow !== "disconnect";
    const ack = encodeAnswer({ type: "ack", status: "ok", ...subscribed }, undefined, this.#clock.iso());
    this.#send(streamEvent(ack, { name: "subscribed", id: eventId({ epoch, seq: seq - replay }) }));
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
    // Who was told of a hole has passed it: on its return it is not sent what it was told is dropped. Save one who
    // asked to be disconnected, who would rather return than have the hole.
    const passed = { id: eventId({ epoch: this.#epoch, seq: notice.error.last_seq }) };
    this.#send(streamEvent(text, { name: "slow_consumer", ...(this.#passesHoles ? passed : {}) }));
  }

  listen(): void {}

  /** Nothing answers a comment: that the kernel still takes what is sent is all the life that can be seen. */
  ping(beat: number): void {
    this.#beat = beat;
    if (this.blocked) return;
    this.seen = beat;
    this.#send(COMMENT);
  }

  close(close: Close): void {
    if (this.#patience !== undefined) return;
    this.seen = Infinity;
    this.#clients.closed(close);
    this.#patience = setTimeout(() => {
      this.#stream?.close(new Error(close.reason));
      this.gone();
    }, CLOSE_PATIENCE_MS);
    if (!this.blocked) this.#end();
  }

  /** To be called when the connection is closed. */
  gone(): void {
    clearTimeout(this.#patience);
    this.blocked = true;
    this.#stream = undefined;
    this.#gathered = "";
    this.#ended.resolve();
    this.#clients.gone(this);
  }

  #end(): void {
    void this.#stream?.end();
    this.gone();
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
    this.seen = this.#beat;
    if (this.#patience === undefined) this.#clients.drained(this);
    else this.#end();
  }
}
