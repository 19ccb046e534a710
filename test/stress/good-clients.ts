import { ID } from "../support/client.ts";
import type { Frame } from "../support/frames.ts";
import { HttpConnection } from "../support/http-connection.ts";
import { Latencies } from "../support/latencies.ts";
import { publicationOf } from "./truth.ts";
import { Wire, type Listener } from "./wire.ts";

const RATE = 50;
const PAYLOAD_BYTES = 200;
const PROBE_MS = 200;
/** How long an answer may take, and the last events at the end of a measurement. */
const PATIENCE_MS = 5000;
const FILLER = "x".repeat(PAYLOAD_BYTES);

/** In milliseconds. */
export type Served = {
  published: number;
  lost: number;
  disconnected: number;
  /** From when a message was due to when a subscriber had it. */
  delays: Latencies;
  /** How much later than due messages were sent, which is not the server's doing. */
  lateness: Latencies;
  /** `GET /livez`, on a connection that is kept and on a new one each time. */
  kept: Probe;
  fresh: Probe;
};

type Probe = { latencies: Latencies; failed: number };

/** One that subscribes and reads: each `seq` must come, and in order. */
class GoodSubscriber {
  /** The last event that it received. */
  seq = 0;
  lost = 0;
  readonly subscribed = Promise.withResolvers<void>();
  readonly wire: Wire;

  constructor(port: number, topic: string, index: number, took: (number: number) => void, gone: () => void) {
    const clientId = `good ${index}`;
    const listener: Listener = {
      opened: (status) => {
        if (status > 101 && status !== 200) this.subscribed.reject(new Error(`Answered ${status}`));
      },
      frame: (frame) => this.#take(frame, took),
      over: (code) => {
        this.subscribed.reject(new Error(`Closed with ${code}`));
        gone();
      },
      failed: (cause) => this.subscribed.reject(cause),
    };
    if (index % 2 === 0) {
      this.wire = Wire.eventStream(port, { topic, query: { client_id: clientId } }, listener);
    } else {
      this.wire = Wire.webSocket(port, listener);
      this.wire.send({ type: "subscribe", topic, client_id: clientId });
    }
  }

  #take(frame: Frame, took: (number: number) => void): void {
    if (frame.type === "ack") {
      this.seq = frame.seq ?? 0;
      this.subscribed.resolve();
    }
    // A gap that is reported is a loss all the same: one that reads is not to have any.
    if (frame.type !== "event") return;
    if (frame.seq !== this.seq + 1) this.lost += Math.max(1, frame.seq - this.seq - 1);
    this.seq = frame.seq;
    took(publicationOf(frame.message).number);
  }
}

/** Those who do nothing wrong: half of them over WebSocket, half over event streams, and one who publishes to them. */
export class GoodClients {
  readonly #port: number;
  readonly #topic: string;
  readonly #subscribers: GoodSubscriber[];
  readonly #publisher: Wire;
  readonly #ready = Promise.withResolvers<void>();
  /** When each message was due, by its number. */
  readonly #due: number[] = [];
  #delays = new Latencies();
  #disconnected = 0;
  #lostBefore = 0;
  #left = false;

  private constructor(port: number, topic: string, count: number) {
    this.#port = port;
    this.#topic = topic;
    const took = (number: number) => this.#delays.add(performance.now() - (this.#due[number] ?? Number.NaN));
    const gone = () => void this.#disconnected++;
    this.#subscribers = Array.from({ length: count }, (_, i) => new GoodSubscriber(port, topic, i, took, gone));
    this.#publisher = Wire.webSocket(port, {
      opened: () => this.#ready.resolve(),
      frame: () => {},
      over: gone,
      failed: (cause) => this.#ready.reject(cause),
    });
  }

  /** Connects them all. */
  static async connect(port: number, topic: string, count: number): Promise<GoodClients> {
    const clients = new GoodClients(port, topic, count);
    const late = Bun.sleep(PATIENCE_MS).then(() => Promise.reject(new Error("Not all good clients could connect")));
    const all = clients.#subscribers.map(({ subscribed }) => subscribed.promise);
    await Promise.race([Promise.all([clients.#ready.promise, ...all]), late]);
    return clients;
  }

  /** Publishes and reads for a while, or until `enough`. */
  async measure(seconds: number, enough: () => boolean): Promise<Served> {
    this.#delays = new Latencies();
    const delays = this.#delays;
    const lateness = new Latencies();
    const first = this.#due.length;
    const disconnectedBefore = this.#disconnected;
    const begun = performance.now();
    const going = () => !enough() && performance.now() < begun + seconds * 1000;
    const probes = Promise.all([this.#probe(going, true), this.#probe(going, false)]);
    while (going()) {
      const next = begun + ((this.#due.length - first) * 1000) / RATE;
      const now = performance.now();
      if (next > now) {
        await Bun.sleep(next - now);
      } else {
        lateness.add(now - next);
        this.#publish(next);
      }
    }
    const patience = performance.now() + PATIENCE_MS;
    while (this.#behind > 0 && !enough() && performance.now() < patience) await Bun.sleep(10);
    const lost = this.#subscribers.reduce((sum, one) => sum + one.lost, this.#behind);
    const newlyLost = lost - this.#lostBefore;
    this.#lostBefore = lost;
    const [kept, fresh] = await probes;
    const disconnected = this.#disconnected - disconnectedBefore;
    return { published: this.#due.length - first, lost: newlyLost, disconnected, delays, lateness, kept, fresh };
  }

  leave(): void {
    this.#left = true;
    this.#publisher.cut();
    for (const { wire } of this.#subscribers) wire.cut();
  }

  /** Messages that were published and not yet received, all subscribers together. */
  get #behind(): number {
    const newest = this.#due.length;
    return this.#subscribers.reduce((sum, { seq }) => sum + Math.max(0, newest - seq), 0);
  }

  #publish(due: number): void {
    const message = { id: ID, payload: [0, this.#due.push(due) - 1, FILLER] };
    this.#publisher.send({ type: "publish", topic: this.#topic, message });
  }

  async #probe(going: () => boolean, keep: boolean): Promise<Probe> {
    const probe: Probe = { latencies: new Latencies(), failed: 0 };
    let connection: HttpConnection | undefined;
    while (going() && !this.#left) {
      const asked = performance.now();
      connection = await this.#askLivez(connection);
      if (connection === undefined) probe.failed++;
      else probe.latencies.add(performance.now() - asked);
      if (!keep || connection?.over === true) {
        connection?.cut();
        connection = undefined;
      }
      await Bun.sleep(Math.max(0, asked + PROBE_MS - performance.now()));
    }
    connection?.cut();
    return probe;
  }

  /** Asks on `kept`, or on a new connection. Returns which it was; undefined, and it is cut, where it was not answered. */
  async #askLivez(kept: HttpConnection | undefined): Promise<HttpConnection | undefined> {
    const late = Bun.sleep(PATIENCE_MS).then(() => undefined);
    // Where the server accepts nobody, even to connect may take minutes.
    const opening = kept === undefined ? HttpConnection.open(this.#port).catch(() => undefined) : kept;
    const connection = await Promise.race([opening, late]);
    const answer = await Promise.race([connection?.ask("GET", "/livez"), late]);
    if (answer?.status === 200) return connection;
    void Promise.resolve(opening).then((opened) => opened?.cut());
    return undefined;
  }
}
