import type { Transport } from "../../src/protocol/frames.ts";
import { account, range, seqsOf } from "../support/account.ts";
import { startBinary, type Started } from "../support/binary.ts";
import { Random } from "../support/random.ts";
import type { Received } from "../support/received.ts";
import { createTopic } from "../support/server.ts";
import { Subscriber } from "../support/subscriber.ts";
import { HttpPublisher, WebSocketPublisher, type Acked, type Answers } from "./acked.ts";
import { idle } from "./books.ts";
import type { Stage } from "./publisher.ts";

const STAGES: readonly Stage[] = [
  { name: "light?", bytes: [0, 300], most: 20 },
  { name: "middling é", bytes: [1000, 4000], most: 10 },
  { name: "heavy/0", bytes: [10_000, 60_000], most: 5 },
];

/** How a subscriber reads before the end: stalled ones nothing, slow ones by fits and starts. */
const MANNERS = ["eager", "eager", "slow", "stalled"] as const;
const SUBSCRIBERS = 12;
/** Those of them that subscribe while others publish. */
const LATE = 2;
/** After the signal, the longest that one goes on reading slowly: well within the grace, with the time to catch up. */
const SLOW_MS = 800;
/** The grace is 5 s. */
const PATIENCE_MS = 12_000;

type Granted = Extract<Received, { kind: "subscribed" }>;
type Reader = { name: string; stage: Stage; transport: Transport; subscriber: Subscriber };
type Unseen = { acked: Acked; seqs: number[]; reader: string };

/** What one restart came to. */
export type Outcome = { acked: number; unseen: number; reported: number; refused: number; unanswered: number };

/** One life of the server: everybody publishes and reads, and amid that it is told to stop. */
export class Restart {
  readonly failures: string[] = [];
  readonly #random: Random;
  readonly #seed: number;
  readonly #answers: Answers = { acked: [], refused: 0, unanswered: 0, faults: [] };
  readonly #readers: Reader[] = [];
  #endedAt = Number.POSITIVE_INFINITY;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = new Random(seed);
  }

  async run(): Promise<Outcome> {
    await using server = await startBinary();
    for (const { name } of STAGES) await createTopic(server, name);
    const early = Array.from({ length: SUBSCRIBERS - LATE }, (_, i) => this.#subscribe(server, i));
    await Promise.all(early);

    const ended = () => this.#endedAt < Number.POSITIVE_INFINITY;
    const task = { port: server.port, stages: STAGES, answers: this.#answers, ended };
    const random = (i: number) => new Random(this.#seed + 1000 + i);
    const sockets = [0, 1].map((i) => new WebSocketPublisher(task, random(i)));
    const posts = [false, false, true, true].map((late, i) => new HttpPublisher(task, random(10 + i), late));
    const publishing = [...sockets, ...posts].map((publisher) => publisher.live());
    const killAfter = 100 + this.#random.int(301);
    const late = Array.from({ length: LATE }, (_, i) => this.#subscribeLate(server, SUBSCRIBERS - LATE + i, killAfter));

    await Bun.sleep(killAfter);
    this.#endedAt = performance.now();
    server.process.kill("SIGTERM");
    const endings = () => this.#readers.map(({ subscriber }) => subscriber.ended);
    const all = Promise.all([server.process.exited, ...publishing, ...late]).then(() => Promise.all(endings()));
    const inTime = await Promise.race([all.then(() => true), Bun.sleep(PATIENCE_MS).then(() => false)]);
    if (!inTime) this.#fail(`not everything had ended ${PATIENCE_MS} ms after SIGTERM: ${this.#going(server)}`);
    for (const one of [...sockets, ...posts]) one.cut();
    for (const { subscriber } of this.#readers) subscriber.cut();
    if (inTime) await this.#checkEndings(server, sockets);
    for (const fault of this.#answers.faults) this.#fail(fault);
    return this.#settle();
  }

  async #subscribe(server: Started, index: number): Promise<void> {
    const random = new Random(this.#seed + 2000 + index);
    const stage = STAGES[index % STAGES.length] ?? random.pick(STAGES);
    const transport = random.chance(0.5) ? "websocket" : "sse";
    const manner = random.pick(MANNERS);
    const name = `subscriber ${index}, ${transport}, ${manner}, of ${stage.name}`;
    const subscriber = await Subscriber.open(server, transport, { topic: stage.name, clientId: `s${index}` });
    this.#readers.push({ name, stage, transport, subscriber });
    if (manner !== "eager") void this.#readBadly(subscriber, random, manner === "stalled");
  }

  /** What the server does not let in any more is no failure. */
  async #subscribeLate(server: Started, index: number, withinMs: number): Promise<void> {
    await idle(new Random(this.#seed + 3000 + index), withinMs);
    await this.#subscribe(server, index).catch((cause: unknown) => {
      if (this.#endedAt === Number.POSITIVE_INFINITY) this.#fail(`cannot subscribe: ${cause}`);
    });
  }

  async #readBadly(subscriber: Subscriber, random: Random, stalled: boolean): Promise<void> {
    const afterMs = random.int(SLOW_MS);
    while (performance.now() < this.#endedAt + afterMs && !subscriber.over) {
      subscriber.stall();
      await Bun.sleep(20 + random.int(200));
      if (!stalled) subscriber.resume();
      await idle(random, 4);
    }
    subscriber.resume();
  }

  async #checkEndings(server: Started, sockets: readonly WebSocketPublisher[]): Promise<void> {
    if (server.process.exitCode !== 0) this.#fail(`the server exited with ${server.process.exitCode}`);
    for (const [i, { told, code }] of sockets.entries()) {
      if (code !== 1001) this.#fail(`WebSocket publisher ${i} was closed with ${code}`);
      if (told.at(-1) !== "server_shutdown")
        this.#fail(`WebSocket publisher ${i} was told ${JSON.stringify(told)} last`);
    }
    for (const { name, transport, subscriber } of this.#readers) {
      if (this.#granted(subscriber) === undefined) continue;
      const ending = await subscriber.ended;
      const well = transport === "sse" ? ending.how === "ended" : ending.how === "closed" && ending.code === 1001;
      if (!well) this.#fail(`${name}: its connection came to the end ${JSON.stringify(ending)}`);
      const told = subscriber.received.some((one) => one.kind === "info" && one.msg === "server_shutdown");
      if (!told) this.#fail(`${name}: was not told server_shutdown`);
    }
  }

  #settle(): Outcome {
    const { acked, refused, unanswered } = this.#answers;
    const unseen: Unseen[] = [];
    let reported = 0;
    for (const { name, stage, subscriber } of this.#readers) {
      const granted = this.#granted(subscriber);
      if (granted === undefined) continue;
      const mine = subscriber.received.filter(({ kind }) => kind !== "heartbeat");
      try {
        account(mine, granted.seq);
      } catch (cause) {
        this.#fail(`${name}: ${cause instanceof Error ? cause.message : cause}`);
      }
      const seen = new Set(seqsOf(mine));
      const gaps = mine.flatMap((one) => (one.kind === "gap" ? [one] : []));
      for (const one of acked) {
        if (one.topic !== stage.name) continue;
        if (one.epoch !== granted.epoch) this.#fail(`${name}: has epoch ${granted.epoch}, an ack ${one.epoch}`);
        const owed = range(one.first, one.last).filter((seq) => seq > granted.seq && !seen.has(seq));
        const lost = owed.filter((seq) => !gaps.some(({ first, last }) => first <= seq && seq <= last));
        reported += owed.length - lost.length;
        if (lost.length > 0) unseen.push({ acked: one, seqs: lost, reader: name });
      }
    }
    for (const one of unseen) this.#fail(this.#describe(one));
    const messages = (some: readonly Acked[]) => some.reduce((sum, { first, last }) => sum + last - first + 1, 0);
    const lost = new Set(unseen.map((one) => one.acked));
    return { acked: messages(acked), unseen: messages([...lost]), reported, refused, unanswered };
  }

  #describe({ acked: { by, first, last, sentAt, ackedAt }, seqs, reader }: Unseen): string {
    const when = (at: number) => `${at < this.#endedAt ? "" : "+"}${(at - this.#endedAt).toFixed(1)} ms`;
    const which = `${seqs.length} of ${first}…${last} (${seqs.slice(0, 5).join(", ")}${seqs.length > 5 ? ", …" : ""})`;
    return `unseen by ${reader}: ${which}, published over ${by}, sent at ${when(sentAt)}, acked at ${when(ackedAt)} of SIGTERM`;
  }

  /** The ack of the subscription; undefined where the server did not let it in. */
  #granted({ received }: Subscriber): Granted | undefined {
    return received.find((one) => one.kind === "subscribed");
  }

  #going({ process }: Started): string {
    const open = this.#readers.filter(({ subscriber }) => !subscriber.over).map(({ name }) => name);
    return JSON.stringify({ exitCode: process.exitCode, open });
  }

  #fail(words: string): void {
    this.failures.push(words);
  }
}
