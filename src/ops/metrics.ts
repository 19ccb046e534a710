import type { BrokerMetrics } from "../broker/ports.ts";
import { ERRORS, LIMITS, type ErrorCode, type Limit } from "../protocol/codes.ts";
import { TRANSPORTS, type Transport } from "../protocol/frames.ts";
import { DROP_REASONS, END_REASONS, RESUME_OUTCOMES } from "../protocol/ledger.ts";
import type { DropReason, Dropped, EndReason, ResumeOutcome } from "../protocol/ledger.ts";
import { ALL_ENDINGS, type Ending } from "./connection-endings.ts";
import { EngineMetrics } from "./engine-metrics.ts";
import { byLabel, counter, gauge, histogram, type Metric } from "./exposition.ts";
import { Histogram, SHORT_SECONDS } from "./histogram.ts";
import { HttpDurations } from "./http-durations.ts";
import { Tally } from "./tally.ts";

/** Where bytes come from: frames of WebSockets, bodies of HTTP requests. */
export type Received = { websocket: number; http: number };

/** Where bytes go to: frames of WebSockets, event streams. */
export type Sent = Record<Transport, number>;

/** Counts what has happened since the start. The hot path adds to plain numbers; `/metrics` reads them. */
export class Metrics implements BrokerMetrics {
  #published = 0;
  #due = 0;
  #delivered = 0;
  #gaps = 0;
  #replayed = 0;
  #trimmed = 0;
  #missedHeartbeats = 0;
  #mostWaiting = 0;
  #subscribed = 0;
  readonly #dropped = new Tally<DropReason>(DROP_REASONS);
  readonly #ended = new Tally<EndReason>(END_REASONS);
  readonly #resumes = new Tally<ResumeOutcome>(RESUME_OUTCOMES);
  readonly #opened = new Tally<Transport>(TRANSPORTS);
  readonly #closed = new Tally<string>(ALL_ENDINGS.map(({ cause }) => cause));
  readonly #errors = new Tally<string>(Object.keys(ERRORS));
  readonly #limited = new Tally<Limit>(LIMITS);
  readonly #publishToSocket = new Histogram(SHORT_SECONDS);
  /** In bytes. */
  readonly received: Received = { websocket: 0, http: 0 };
  readonly sent: Sent = { websocket: 0, sse: 0 };
  readonly loopDelay = new Histogram(SHORT_SECONDS);
  readonly http = new HttpDurations();
  readonly engine = new EngineMetrics();

  /** Messages have got their place through this node. */
  published(messages: number): void {
    this.#published += messages;
  }

  due(events: number): void {
    this.#due += events;
  }

  delivered(events: number): void {
    this.#delivered += events;
  }

  dropped(events: Dropped): void {
    for (const reason of DROP_REASONS) this.#dropped.add(reason, events[reason] ?? 0);
  }

  gapTold(): void {
    this.#gaps++;
  }

  replayed(events: number): void {
    this.#replayed += events;
  }

  resumed(outcome: ResumeOutcome): void {
    this.#resumes.add(outcome);
  }

  waiting(events: number): void {
    if (events > this.#mostWaiting) this.#mostWaiting = events;
  }

  /** History lost events to stay below its bound. */
  trimmed(events: number): void {
    this.#trimmed += events;
  }

  subscribed(): void {
    this.#subscribed++;
  }

  ended(reason: EndReason): void {
    this.#ended.add(reason);
  }

  /** Requests were answered with an error. @param limit the setting that they exceed */
  refused(code: ErrorCode, limit?: Limit, requests = 1): void {
    this.#errors.add(code, requests);
    if (limit !== undefined) this.#limited.add(limit, requests);
  }

  opened(transport: Transport): void {
    this.#opened.add(transport);
  }

  closed({ cause }: Ending): void {
    this.#closed.add(cause);
  }

  /** A connection got a heartbeat, and had not answered the one before. */
  missedHeartbeat(): void {
    this.#missedHeartbeats++;
  }

  /** What was published is on its sockets. @param seconds since the first message of it was published */
  flushed(seconds: number): void {
    this.#publishToSocket.observe(seconds);
  }

  /** The totals since the start, for the log. */
  get totals(): { published: number; delivered: number; dropped: number } {
    return { published: this.#published, delivered: this.#delivered, dropped: this.#dropped.total };
  }

  /** Everything that is counted here, as metrics. */
  get all(): Metric[] {
    const total = (name: string, help: string, label: string, tally: Tally<string>) =>
      counter(name, help, () => byLabel(label, tally.entries));
    const bytes = (name: string, help: string, counts: Received | Sent) =>
      counter(name, help, () => byLabel("transport", Object.entries(counts)));
    return [
      counter("messages_published", "Messages published at this node.", () => this.#published),
      counter("events_due", "Events to be sent: published while subscribed, and replay asked for.", () => this.#due),
      counter("events_delivered", "Events handed to a subscriber's connection.", () => this.#delivered),
      total(
        "events_dropped",
        "Events that were due and are not sent, by reason, once their subscriber is told or gone.",
        "reason",
        this.#dropped,
      ),
      counter("events_replayed", "Events of history that subscribers asked for.", () => this.#replayed),
      counter("gaps", "Gaps that subscribers were told of.", () => this.#gaps),
      total("resumes", "Subscriptions that began with a position, by what came of it.", "outcome", this.#resumes),
      gauge(
        "subscriber_backlog_high_water",
        "The most events that ever waited for one subscriber.",
        () => this.#mostWaiting,
      ),
      counter("subscriptions_started", "Subscriptions that began.", () => this.#subscribed),
      total("subscriptions_ended", "Subscriptions that ended, by reason.", "reason", this.#ended),
      total(
        "connections_opened",
        "WebSockets and event streams that were opened, those refused at once among them, by transport.",
        "transport",
        this.#opened,
      ),
      counter("connections_closed", "Connections that ended, by the side that ended them and why.", () =>
        ALL_ENDINGS.map((labels) => ({ labels, value: this.#closed.of(labels.cause) })),
      ),
      counter(
        "heartbeats_missed",
        "Heartbeats that a connection had not answered when the next was due.",
        () => this.#missedHeartbeats,
      ),
      bytes(
        "received_bytes",
        "Payload bytes that came in WebSocket frames and in bodies of HTTP requests.",
        this.received,
      ),
      bytes(
        "sent_bytes",
        "Payload bytes that went out on WebSockets and event streams, without what pings WebSockets.",
        this.sent,
      ),
      total("errors", "Requests answered with an error, by its code.", "code", this.#errors),
      total(
        "limit_refusals",
        "Requests and connections that exceeded a limit, by its setting.",
        "limit",
        this.#limited,
      ),
      counter("history_trimmed", "Messages that history lost to HISTORY_MEMORY_BYTES.", () => this.#trimmed),
      histogram(
        "publish_to_socket_seconds",
        "From a publish until its sockets were written; of each flush its oldest message, of a large publish its first.",
        () => this.#publishToSocket.samples(),
      ),
      histogram("event_loop_delay_seconds", "How late a timer fires.", () => this.loopDelay.samples()),
      histogram("http_request_duration_seconds", "From an HTTP request until its answer begins.", () =>
        this.http.samples(),
      ),
      ...this.engine.all,
    ];
  }
}
