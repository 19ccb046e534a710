import type { Grant } from "../auth/permissions.ts";
import type { Batch } from "../broker/ports.ts";
import type { Session } from "../broker/session.ts";
import type { Look } from "../kernel/progress.ts";
import type { Address } from "../kernel/sockets.ts";
import type { Clock } from "../ops/clock.ts";
import type { Logger } from "../ops/logger.ts";
import { ENDINGS, type Ending } from "../ops/connection-endings.ts";
import type { Metrics } from "../ops/metrics.ts";
import type { Close } from "../protocol/codes.ts";
import { encodeAnswer, encodeNotice } from "../protocol/encode.ts";
import { COMMENT, eventId, retryField, streamEvent } from "../protocol/event-stream.ts";
import type { Notice, Overflow, Subscribed } from "../protocol/frames.ts";
import type { ConnectedPeer } from "./connected-peer.ts";
import type { PeerRegistry } from "./peer-registry.ts";

/** Where a client connects from, and in which trace. */
export type ClientOrigin = Pick<ConnectedPeer, "address" | "remote" | "traceparent">;

/** Encodes events as the bytes of a stream. Keeps the last result: all subscribers of a topic are sent the same array. */
export class StreamEncoder {
  readonly #utf8 = new TextEncoder();
  #last: { texts: readonly string[]; bytes: Uint8Array<ArrayBuffer> } | undefined;

  /** @param first the `seq` of the first of `texts` */
  encode(epoch: string, texts: readonly string[], first: number): Uint8Array<ArrayBuffer> {
    if (this.#last?.texts === texts) return this.#last.bytes;
    const events = texts.map((text, index) => streamEvent(text, { id: eventId({ epoch, seq: first + index }) }));
    const bytes = this.#utf8.encode(events.join(""));
    this.#last = { texts, bytes };
    return bytes;
  }
}

/** What every peer of a server shares. */
export type SsePeerDeps = {
  registry: PeerRegistry;
  clock: Clock;
  log: Logger;
  metrics: Metrics;
  encoder: StreamEncoder;
};

/**
 * A stream of server-sent events as a peer. It has one subscription, which begins with the stream.
 *
 * It is blocked until the stream can be written to, and whenever the kernel takes no more.
 */
export class SsePeer implements ConnectedPeer {
  readonly transport = "sse";
  readonly connectedAt = Date.now();
  readonly session: Session;
  grant: Grant | undefined;
  blocked = true;
  unanswered = 0;
  look: Look | undefined;
  readonly remote: Address | undefined;
  readonly address: string | undefined;
  readonly traceparent: string | undefined;

  readonly #deps: SsePeerDeps;
  readonly #ended = Promise.withResolvers<void>();
  #stream: ReadableStreamDirectController | undefined;
  #epoch = "";
  #passesGaps = true;
  #batching = false;
  /** What was sent during a batch, or before the stream was there. */
  #gathered = "";
  /** The size of the last write, and of those while blocked: no more can be unsent. */
  #written = 0;
  #closing = false;
  ending: Ending = ENDINGS.hungUp;

  /** @param connect makes the session of this peer */
  constructor(deps: SsePeerDeps, from: ClientOrigin, connect: (peer: SsePeer) => Session) {
    this.#deps = deps;
    this.remote = from.remote;
    this.address = from.address;
    this.traceparent = from.traceparent;
    this.session = connect(this);
  }

  /**
   * Sends the first event of the stream. Its id is the position that the following events start from.
   *
   * @param overflow the overflow policy of the subscription
   */
  begin(subscribed: Subscribed, overflow: Overflow | undefined): void {
    const { epoch, seq, replay } = subscribed;
    this.#epoch = epoch;
    this.#passesGaps = overflow !== "disconnect";
    const ack = encodeAnswer({ type: "ack", status: "ok", ...subscribed }, undefined, this.#deps.clock.iso());
    this.#put(retryField() + streamEvent(ack, { name: "subscribed", id: eventId({ epoch, seq: seq - replay }) }));
  }

  /** Writes to `stream` from now on. Resolves when the stream ends. */
  attach(stream: ReadableStreamDirectController): Promise<void> {
    this.#stream = stream;
    this.blocked = false;
    this.#write(this.#taken());
    if (!this.blocked) this.drained();
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
    this.#put(streamEvent(text, { id: eventId({ epoch: this.#epoch, seq }) }));
  }

  send(texts: readonly string[], first: number): void {
    this.#write(this.#deps.encoder.encode(this.#epoch, texts, first));
  }

  notice(notice: Notice): void {
    const text = encodeNotice(notice, this.#deps.clock.iso());
    if (notice.type === "info") {
      if (notice.msg === "epoch_changed") {
        this.#epoch = notice.epoch;
        this.#put(streamEvent(text, { name: "info", id: eventId(notice) }));
        return;
      }
      this.#put(streamEvent(text, { name: "info" }));
      return;
    }
    // A client that was told of a gap has passed it: when it comes back, it is not sent those events. With `disconnect`
    // it is: it asked to come back instead of having a gap.
    const passed = { id: eventId({ epoch: this.#epoch, seq: notice.error.last_seq }) };
    this.#put(streamEvent(text, { name: "slow_consumer", ...(this.#passesGaps ? passed : {}) }));
  }

  listen(): void {}

  get unsentBytes(): number {
    return this.blocked ? this.#written : 0;
  }

  /** Nothing answers a comment. The only visible sign of life is that the kernel still takes what is sent. */
  ping(): void {
    if (this.blocked) return;
    this.unanswered = 0;
    this.#put(COMMENT);
  }

  /** Ends the stream once the kernel has taken what was sent. From then on the kernel delivers it by itself. */
  close(close: Close): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#deps.registry.closing(this, close);
    if (!this.blocked) this.#deps.registry.received(this);
  }

  finish(): void {
    if (this.blocked) return this.cut();
    void this.#stream?.end();
    this.gone("the stream has ended");
  }

  cut(): void {
    this.ending = ENDINGS.cutOff;
    this.#stream?.close(new Error("cut off"));
    this.gone("cut off");
  }

  /** Call when the connection is closed. */
  gone(reason: string): void {
    this.blocked = true;
    this.#stream = undefined;
    this.#gathered = "";
    this.#ended.resolve();
    this.#deps.registry.gone(this, reason);
  }

  #put(text: string): void {
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
    this.#deps.metrics.sent.sse += typeof chunk === "string" ? Buffer.byteLength(chunk) : chunk.byteLength;
    this.#stream.flush();
    if (typeof written === "number" || this.blocked) return;
    // Bun has taken the chunk all the same. No more follows until it has gone.
    this.blocked = true;
    this.#deps.registry.unsent.note(this, this.#written);
    written
      .then(() => this.drained())
      .catch((cause: unknown) => this.#deps.log.error("fault while an event stream went on", { cause }));
  }

  hold(): void {
    this.blocked = true;
  }

  drained(): void {
    if (this.#stream === undefined) return;
    const { unsent } = this.#deps.registry;
    unsent.forget(this);
    if (unsent.holds(this)) return;
    this.blocked = false;
    this.unanswered = 0;
    if (this.#closing) this.#deps.registry.received(this);
    else this.#deps.registry.drained(this);
  }
}
