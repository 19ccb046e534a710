import { OVERFLOWS, type Overflow } from "../../src/protocol/frames.ts";
import { ANSWERS } from "../../src/protocol/sent-schema.ts";
import { jsonOf, readHistory, topicDetail, topicUrl } from "../support/answers.ts";
import { imbalance, imbalanceIn, totalDropped } from "../support/balance.ts";
import { createTopic, deleteTopic, health } from "../support/server.ts";
import { metrics } from "../support/stats.ts";
import { Random } from "../support/random.ts";
import { Books, idle, type Tally } from "./books.ts";
import type { Sums } from "./ledger.ts";
import { Publisher, type Stage } from "./publisher.ts";
import type { ReturningSubscriber } from "./returning-subscriber.ts";
import { Seat } from "./seat.ts";
import { EventStreamSubscriber, WebSocketSubscriber } from "./subscriber-kinds.ts";
import { publicationOf } from "./truth.ts";

export type Plan = {
  seed: number;
  seconds: number;
  maxHistory: number;
  queue: number;
  /** Whether the server may run out of memory for history. */
  scarce?: boolean;
};

/** What a run came to. */
export type Outcome = { published: number } & Sums & Tally;

/** Two topics of heavy messages, which fill the kernel's buffers, and others whose names and sizes differ. */
const STAGES: readonly Stage[] = [
  { name: "heavy/0", bytes: [20_000, 60_000], most: 10 },
  { name: "heavy/1", bytes: [20_000, 60_000], most: 10 },
  { name: "middling é", bytes: [0, 9000], most: 20 },
  { name: "light?", bytes: [0, 30], most: 60 },
];

/** How long a state that must come is waited for, before that is taken for a failure. */
const PATIENCE_MS = 30_000;

const PUBLISHERS = 5;
const WEBSOCKETS = 12;
const STREAMS = 8;

/** One run: everybody at it for a while, then the settlement. */
class Stress {
  readonly #server: { url: string; port: number };
  readonly #plan: Plan;
  readonly #books: Books;
  readonly #random: Random;
  readonly #publishers: Publisher[];
  #publishedBefore = 0;
  readonly #subscribers: ReturningSubscriber[];

  constructor(server: { url: string; port: number }, plan: Plan) {
    const { seed, maxHistory, scarce = false } = plan;
    this.#server = server;
    this.#plan = plan;
    this.#books = new Books({ maxHistory, scarce });
    this.#random = new Random(seed);
    this.#publishers = Array.from({ length: PUBLISHERS }, (_, i) => {
      return new Publisher(i, server, STAGES, new Random(seed + 1000 + i), this.#books);
    });
    this.#subscribers = Array.from({ length: WEBSOCKETS + STREAMS }, (_, i) => this.#subscriber(i));
  }

  async run(progress: (words: string) => void): Promise<Outcome> {
    const { seconds } = this.#plan;
    this.#publishedBefore = await this.#publishedInAll();
    for (const { name } of STAGES) await createTopic(this.#server, name);
    const timer = setTimeout(() => this.#books.stop(), seconds * 1000);
    const telling = setInterval(() => progress(this.#progress()), 10_000);
    const all = [...this.#publishers, ...this.#subscribers].map((one) => one.live());
    all.push(this.#replaceTopics(), this.#readHistory(), this.#watchLedgers());
    try {
      const lives = Promise.all(all.map((life) => life.catch((cause: unknown) => this.#books.fail(cause))));
      // One that waits for an answer may wait for ever once something has gone wrong.
      await Promise.race([lives, this.#books.failed]);
      this.#books.throwIfFailed();
      return await this.#settle();
    } finally {
      clearTimeout(timer);
      clearInterval(telling);
      for (const one of [...this.#publishers, ...this.#subscribers]) one.leave();
    }
  }

  /** Half of the subscribers share their id with another one. */
  #subscriber(index: number): ReturningSubscriber {
    const { seed } = this.#plan;
    const random = new Random(seed + 2000 + index);
    const terms = { port: this.#server.port, queue: 1 + random.int(this.#plan.queue) };
    const overflow: Overflow = random.chance(0.6) ? "drop_oldest" : random.pick(OVERFLOWS);
    const seatAt = ({ name }: Stage) => {
      const clientId = index % 4 < 2 ? `shared ${Math.floor(index / 4)}` : `own ${index}`;
      return new Seat(`subscriber ${index}`, name, clientId, overflow, this.#books);
    };
    if (index >= WEBSOCKETS) {
      const seat = seatAt(STAGES[index % 2 === 0 ? 0 : (index >> 1) % STAGES.length] ?? random.pick(STAGES));
      return new EventStreamSubscriber(terms, seat, random, this.#books);
    }
    const seats = STAGES.filter(() => random.chance(0.6)).map(seatAt);
    return new WebSocketSubscriber(terms, seats.length > 0 ? seats : STAGES.map(seatAt), random, this.#books);
  }

  async #replaceTopics(): Promise<void> {
    const { tally } = this.#books;
    await idle(this.#random, 1000);
    while (this.#books.running) {
      const { name } = this.#random.pick(STAGES);
      await deleteTopic(this.#server, name);
      tally.deletions++;
      await idle(this.#random, 40);
      await createTopic(this.#server, name);
      await idle(this.#random, 1500);
    }
  }

  async #readHistory(): Promise<void> {
    const random = new Random(this.#plan.seed + 3000);
    while (this.#books.running) {
      await idle(random, 200);
      const { name } = random.pick(STAGES);
      const query = random.pick(["", "?last_n=3", "?since=0", "?since=10&until=20"]);
      const response = await fetch(topicUrl(this.#server, name, `/messages${query}`));
      if (response.status === 404) continue;
      const { epoch, oldest_seq, messages, seq: newest } = readHistory(await jsonOf(response));
      for (const [index, message] of messages.entries()) {
        const { seq } = message;
        if (seq < oldest_seq || seq > newest || seq !== (messages[0]?.seq ?? 0) + index) {
          throw new Error(`History ${query} of ${oldest_seq} to ${newest} has ${seq} at place ${index}`);
        }
        this.#books.truth.stands(name, epoch, seq, publicationOf(message));
      }
    }
  }

  /** At any moment what was to be sent is accounted for. */
  async #watchLedgers(): Promise<void> {
    const random = new Random(this.#plan.seed + 4000);
    const { tally } = this.#books;
    while (this.#books.running) {
      await idle(random, 100);
      const problem = imbalanceIn(await metrics(this.#server));
      if (problem !== undefined) throw new Error(problem);
      const { name } = random.pick(STAGES);
      const response = await fetch(topicUrl(this.#server, name));
      if (response.status === 404) continue;
      const { ledger, subscribers } = ANSWERS["GET /topics/:name"].parse(JSON.parse(await jsonOf(response)));
      for (const one of [ledger, ...subscribers.map((subscriber) => subscriber.ledger)]) {
        if (imbalance(one) !== 0) throw new Error(`A ledger of ${name} is out of balance: ${JSON.stringify(one)}`);
      }
      tally["ledger samples"]++;
    }
  }

  /** Everyone reads to the end; some go, the topics go; then nothing is left and all must balance. */
  async #settle(): Promise<Outcome> {
    const { truth, tally } = this.#books;
    for (const publisher of this.#publishers) publisher.leave();
    await untilRight(() => this.#unsettled());
    const published = (await this.#publishedInAll()) - this.#publishedBefore;
    if (published !== truth.published) throw new Error(`${truth.published} published, and /metrics says ${published}`);
    for (const subscriber of this.#subscribers) if (this.#random.chance(0.5)) subscriber.leave();
    await untilRight(() => this.#miscounted());
    for (const { name } of STAGES) await deleteTopic(this.#server, name);
    await untilRight(() =>
      this.#seats(true).length > 0 ? `${this.#seats(true).length} told of the deletion` : undefined,
    );
    for (const subscriber of this.#subscribers) subscriber.leave();
    await untilRight(() => this.#leftover());
    this.#books.throwIfFailed();
    const sums = this.#books.balance();
    const counted = await metrics(this.#server);
    atLeast(counted, "pubsub_events_delivered_total", sums.received);
    const dropped = new Map([["pubsub_events_dropped_total", totalDropped(counted)]]);
    atLeast(dropped, "pubsub_events_dropped_total", sums.dropped + sums.skipped);
    const problem = imbalanceIn(counted);
    if (problem !== undefined) throw new Error(problem);
    return { published: truth.published, ...sums, ...tally };
  }

  /** Since the server was started. */
  async #publishedInAll(): Promise<number> {
    return (await metrics(this.#server)).get("pubsub_messages_published_total") ?? Number.NaN;
  }

  /** What keeps the run from being at rest: all connected, and everything published taken by all who are subscribed. */
  async #unsettled(): Promise<string | undefined> {
    this.#books.throwIfFailed();
    for (const subscriber of this.#subscribers) subscriber.settle();
    for (const { name } of STAGES) {
      const { epoch, seq, subscribers } = await topicDetail(this.#server, name);
      this.#books.truth.reached(name, epoch, seq);
      const ids = subscribers.map(({ client_id }) => client_id).sort();
      const seats = this.#seats(true).filter(({ topic }) => topic === name);
      const due = seats.map(({ clientId }) => clientId).sort();
      if (!Bun.deepEquals(ids, due)) return `${name} has ${ids} as subscribers in place of ${due}`;
      const behind = seats.find(({ position }) => position?.seq !== seq || position.epoch !== epoch);
      if (behind !== undefined) return `${behind.clientId} of ${name} is at ${behind.position?.seq} of ${seq}`;
    }
    const restless = this.#subscribers.filter(({ settled }) => !settled).length;
    return restless > 0 ? `${restless} subscribers are not answered` : this.#miscounted();
  }

  async #miscounted(): Promise<string | undefined> {
    const { subscribers } = await health(this.#server);
    const due = this.#seats(true).length;
    return subscribers === due ? undefined : `/health says ${subscribers} subscribers in place of ${due}`;
  }

  async #leftover(): Promise<string | undefined> {
    const found = await metrics(this.#server);
    const names = [
      "topics",
      "subscriptions",
      "history_bytes",
      ...TRANSPORTS.map((one) => `connections{transport="${one}"}`),
    ];
    const left = names.map((name) => [name, found.get(`pubsub_${name}`)] as const).filter(([, value]) => value !== 0);
    if (left.length > 0) return `nothing left: ${JSON.stringify(left)}`;
    return this.#miscounted();
  }

  #seats(live: boolean): Seat[] {
    return this.#subscribers.flatMap(({ seats }) => seats).filter((seat) => seat.live === live);
  }

  #progress(): string {
    const { truth, tally } = this.#books;
    return `${truth.published} published, ${JSON.stringify(tally)}`;
  }
}

const TRANSPORTS = ["websocket", "sse"];

/** Looks again and again, until `found` says that nothing is wrong any more. */
async function untilRight(found: () => Promise<string | undefined> | string | undefined): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (let problem = await found(); problem !== undefined; problem = await found()) {
    if (performance.now() > deadline) throw new Error(`Still not: ${problem}`);
    await Bun.sleep(10);
  }
}

function atLeast(found: ReadonlyMap<string, number>, name: string, least: number): void {
  const value = found.get(name) ?? 0;
  if (value < least) throw new Error(`${name} is ${value}, and subscribers saw ${least}`);
}

/** @throws with the seed, at the first thing that does not hold */
export async function stress(
  server: { url: string; port: number },
  plan: Plan,
  progress: (words: string) => void = () => {},
): Promise<Outcome> {
  try {
    return await new Stress(server, plan).run(progress);
  } catch (cause) {
    throw new Error(`SEED=${plan.seed}: ${cause instanceof Error ? cause.stack : cause}`);
  }
}
