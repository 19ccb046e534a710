import { jsonOf, post, readPublished } from "../support/answers.ts";
import { ID } from "../support/client.ts";
import type { Frame } from "../support/frames.ts";
import type { Random } from "../support/random.ts";
import { idle, type Books } from "./books.ts";
import type { Publication } from "./truth.ts";
import { Wire } from "./wire.ts";

/** A topic, and how large what is published to it may be. */
export type Stage = { name: string; bytes: readonly [number, number]; most: number };

/** Into how many pieces a slow upload is cut, and the longest pause after each. */
const UPLOAD_PIECES = 8;
const UPLOAD_PAUSE_MS = 300;
const FILLER = "x".repeat(1 << 20);

/** One who publishes in every way there is, and has the truth know what became of it. */
export class Publisher {
  readonly #number: number;
  readonly #server: { url: string; port: number };
  readonly #stages: readonly Stage[];
  readonly #random: Random;
  readonly #books: Books;
  readonly #pending = new Map<Frame["request_id"], (frame: Frame) => void>();
  #wire: Wire | undefined;
  #published = 0;
  #requests = 0;

  constructor(
    number: number,
    server: { url: string; port: number },
    stages: readonly Stage[],
    random: Random,
    books: Books,
  ) {
    this.#number = number;
    this.#server = server;
    this.#stages = stages;
    this.#random = random;
    this.#books = books;
  }

  async live(): Promise<void> {
    this.#wire = await this.#connect();
    while (this.#books.running) {
      const stage = this.#random.pick(this.#stages);
      const count = 1 + this.#random.int(stage.most);
      const way = this.#random.int(11);
      if (way === 10) await this.#slowly(stage);
      else if (way < 3) await this.#singly(stage, count);
      else if (way < 5) await this.#asBatch(stage, count);
      else if (way < 7) await this.#unacknowledged(stage, count);
      else if (way < 8) await this.#overHttp(stage, 1);
      else await this.#overHttp(stage, count);
      await idle(this.#random, 12);
    }
  }

  leave(): void {
    this.#wire?.cut();
  }

  async #connect(): Promise<Wire> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const wire = Wire.webSocket(this.#server.port, {
      opened: () => resolve(),
      frame: (frame) => this.#answered(frame),
      over: (end) => {
        const problem = new Error(`A publisher's connection was closed: ${end?.code}`);
        this.#books.fail(problem);
        reject(problem);
      },
      failed: (cause) => this.#books.fail(cause),
    });
    await promise;
    return wire;
  }

  async #singly(stage: Stage, count: number): Promise<void> {
    const publications = this.#next(count);
    const answers = publications.map((publication) =>
      this.#ask({ type: "publish", topic: stage.name, message: this.#message(stage, publication) }),
    );
    for (const [index, answer] of (await Promise.all(answers)).entries()) {
      this.#settle(stage, publications.slice(index, index + 1), answer);
    }
  }

  async #asBatch(stage: Stage, count: number): Promise<void> {
    const publications = this.#next(count);
    const messages = publications.map((publication) => this.#message(stage, publication));
    this.#settle(stage, publications, await this.#ask({ type: "publish", topic: stage.name, messages }));
  }

  async #unacknowledged(stage: Stage, count: number): Promise<void> {
    const publications = this.#next(count);
    const refused = publications.map((publication) => {
      const message = this.#message(stage, publication);
      return this.#request({ type: "publish", topic: stage.name, message, ack: false });
    });
    const pong = await this.#ask({ type: "ping" });
    if (pong.type !== "pong") throw new Error(`Not a pong: ${JSON.stringify(pong)}`);
    for (const [index, { id, answer }] of refused.entries()) {
      const mine = publications.slice(index, index + 1);
      // Errors come before the pong: what has none by now was published.
      if (this.#pending.delete(id)) this.#books.truth.accepted(mine);
      else this.#settle(stage, mine, await answer);
    }
  }

  /** One frame in pieces, with pauses in which it cannot answer a heartbeat. */
  async #slowly(stage: Stage): Promise<void> {
    this.#books.tally["slow uploads"]++;
    const publications = this.#next(1);
    const messages = publications.map((publication) => this.#message(stage, publication));
    const pause = () => idle(this.#random, UPLOAD_PAUSE_MS);
    const { id, answer } = this.#expect();
    const frame = { type: "publish", topic: stage.name, messages, request_id: id };
    await this.#wire?.sendSlowly(frame, UPLOAD_PIECES, pause);
    this.#settle(stage, publications, await answer);
  }

  async #overHttp(stage: Stage, count: number): Promise<void> {
    const publications = this.#next(count);
    const messages = publications.map((publication) => ({ payload: this.#payload(stage, publication) }));
    const response = await post(this.#server, stage.name, (count === 1 ? messages[0] : undefined) ?? { messages });
    if (response.status === 404) return this.#books.truth.refused(publications);
    const { epoch, first_seq, seq, ids } = readPublished(await jsonOf(response));
    if (seq - first_seq + 1 !== count || ids.length !== count) throw new Error(`${count} published as ${ids.length}`);
    this.#books.truth.acked(stage.name, epoch, first_seq, publications);
  }

  #settle(stage: Stage, publications: readonly Publication[], answer: Frame): void {
    const { truth } = this.#books;
    if (answer.type === "error" && answer.error.code === "TOPIC_NOT_FOUND") return truth.refused(publications);
    if (answer.type !== "ack" || answer.epoch === undefined || answer.seq === undefined) {
      throw new Error(`Neither published nor refused: ${JSON.stringify(answer)}`);
    }
    const { epoch, seq, first_seq: first = seq, count = 1 } = answer;
    if (count !== publications.length || seq - first + 1 !== count) {
      throw new Error(`${publications.length} published as ${count}, ${first} to ${seq}`);
    }
    truth.acked(stage.name, epoch, first, publications);
  }

  async #ask(frame: object): Promise<Frame> {
    return this.#request(frame).answer;
  }

  #request(frame: object): { id: number; answer: Promise<Frame> } {
    const expected = this.#expect();
    this.#wire?.send({ ...frame, request_id: expected.id });
    return expected;
  }

  #expect(): { id: number; answer: Promise<Frame> } {
    const id = ++this.#requests;
    const { promise, resolve } = Promise.withResolvers<Frame>();
    this.#pending.set(id, resolve);
    return { id, answer: promise };
  }

  #answered(frame: Frame): void {
    if (frame.type === "info" && frame.msg === "ping") return;
    const { request_id: id } = frame;
    const pending = this.#pending.get(id);
    if (pending === undefined) throw new Error(`An answer that nobody waits for: ${JSON.stringify(frame)}`);
    this.#pending.delete(id);
    pending(frame);
  }

  #next(count: number): Publication[] {
    return Array.from({ length: count }, () => ({ publisher: this.#number, number: ++this.#published }));
  }

  #message(stage: Stage, publication: Publication): { id: string; payload: unknown } {
    return { id: ID, payload: this.#payload(stage, publication) };
  }

  #payload({ bytes: [least, most] }: Stage, { publisher, number }: Publication): unknown {
    return [publisher, number, FILLER.slice(0, least + this.#random.int(most - least))];
  }
}
