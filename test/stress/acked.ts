import { HttpConnection } from "../support/http-connection.ts";
import { readPublished } from "../support/answers.ts";
import { ID } from "../support/client.ts";
import type { Frame } from "../support/frames.ts";
import type { Random } from "../support/random.ts";
import { idle } from "./books.ts";
import type { Stage } from "./publisher.ts";
import { Wire } from "./wire.ts";

/** Messages that a publisher was told are published. */
export type Acked = {
  topic: string;
  epoch: string;
  first: number;
  last: number;
  by: "WebSocket" | "HTTP" | "HTTP, late body";
  sentAt: number;
  ackedAt: number;
};

/** What all publishers of one restart were answered. */
export type Answers = { acked: Acked[]; refused: number; unanswered: number; faults: string[] };

/** Where and what to publish; `ended` says whether the server was told to stop. */
export type Task = { port: number; stages: readonly Stage[]; answers: Answers; ended: () => boolean };

const FILLER = "x".repeat(1 << 16);
/** After an error, so that a server that shuts down is not kept from it by answering errors. */
const PAUSE_MS = 3;

function makePayload(random: Random, { bytes: [least, most] }: Stage, number: number): unknown {
  return [0, number, FILLER.slice(0, least + random.int(most - least))];
}

type Pending = { topic: string; sentAt: number; count: number };

/** Publishes over one WebSocket as fast as it gets acks, a few in flight, until the server closes it. */
export class WebSocketPublisher {
  /** What the server said before it closed the connection. */
  readonly told: string[] = [];
  code: number | undefined;
  readonly #task: Task;
  readonly #random: Random;
  readonly #wire: Wire;
  readonly #pending = new Map<Frame["request_id"], Pending>();
  readonly #opened = Promise.withResolvers<void>();
  readonly #over = Promise.withResolvers<void>();
  #requests = 0;
  #isOver = false;

  constructor(task: Task, random: Random) {
    this.#task = task;
    this.#random = random;
    this.#wire = Wire.webSocket(task.port, {
      opened: () => this.#opened.resolve(),
      frame: (frame) => this.#answered(frame),
      over: (end) => this.#end(end?.code),
      failed: (cause) => void task.answers.faults.push(`a publisher over WebSocket: ${cause}`),
    });
  }

  /** Resolves when the connection has ended. */
  async live(): Promise<void> {
    await this.#opened.promise;
    const inFlight = 1 + this.#random.int(8);
    for (let i = 0; i < inFlight; i++) this.#publish();
    await this.#over.promise;
  }

  cut(): void {
    this.#wire.cut();
    this.#end(undefined);
  }

  #publish(): void {
    if (this.#isOver) return;
    const stage = this.#random.pick(this.#task.stages);
    const count = this.#random.chance(0.2) ? 1 + this.#random.int(stage.most) : 1;
    const message = () => ({ id: ID, payload: makePayload(this.#random, stage, this.#requests) });
    const carried = count === 1 ? { message: message() } : { messages: Array.from({ length: count }, message) };
    const id = ++this.#requests;
    this.#pending.set(id, { topic: stage.name, sentAt: performance.now(), count });
    this.#wire.send({ type: "publish", topic: stage.name, ...carried, request_id: id });
  }

  #answered(frame: Frame): void {
    if (frame.type === "info" && frame.msg !== "ping") this.told.push(frame.msg);
    if (frame.type !== "ack" && frame.type !== "error") return;
    const pending = this.#pending.get(frame.request_id);
    if (pending === undefined) return;
    this.#pending.delete(frame.request_id);
    const { answers } = this.#task;
    if (frame.type === "error") {
      answers.refused++;
      setTimeout(() => this.#publish(), PAUSE_MS);
      return;
    }
    const { epoch = "", seq = 0, first_seq: first = seq } = frame;
    if (seq - first + 1 !== pending.count) answers.faults.push(`an ack that is wrong: ${JSON.stringify(frame)}`);
    const { topic, sentAt } = pending;
    answers.acked.push({ topic, epoch, first, last: seq, by: "WebSocket", sentAt, ackedAt: performance.now() });
    this.#publish();
  }

  #end(code: number | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.code = code;
    this.#task.answers.unanswered += this.#pending.size;
    this.#over.resolve();
  }
}

/** Publishes over kept-alive connections, one request in flight, until none is accepted any more. */
export class HttpPublisher {
  readonly #task: Task;
  readonly #random: Random;
  readonly #late: boolean;
  #connection: HttpConnection | undefined;
  #published = 0;

  /** @param late whether the second half of a body comes later than the first */
  constructor(task: Task, random: Random, late: boolean) {
    this.#task = task;
    this.#random = random;
    this.#late = late;
  }

  async live(): Promise<void> {
    const { port, answers, ended } = this.#task;
    while (true) {
      try {
        this.#connection = await HttpConnection.open(port);
      } catch (cause) {
        if (!ended()) answers.faults.push(`a publisher over HTTP cannot connect: ${cause}`);
        return;
      }
      while (!this.#connection.over) await this.#publish(this.#connection);
      this.#connection.cut();
      if (!ended()) answers.faults.push("a kept-alive connection was closed before its time");
      // What would hold up a server that shuts down is who connects again at once.
      await idle(this.#random, 4 * PAUSE_MS);
    }
  }

  cut(): void {
    this.#connection?.cut();
  }

  async #publish(connection: HttpConnection): Promise<void> {
    const { stages, answers, ended } = this.#task;
    const stage = this.#random.pick(stages);
    const count = this.#random.chance(0.2) ? 1 + this.#random.int(stage.most) : 1;
    const messages = Array.from({ length: count }, () => {
      return { payload: makePayload(this.#random, stage, ++this.#published) };
    });
    const body = JSON.stringify(count === 1 ? messages[0] : { messages });
    const sentAt = performance.now();
    const path = `/topics/${encodeURIComponent(stage.name)}/messages`;
    const answer = await connection.ask("POST", path, body, this.#late ? 1 + this.#random.int(30) : 0);
    if (answer === undefined) {
      answers.unanswered++;
    } else if (answer.status === 200) {
      const { epoch, first_seq: first, seq: last } = readPublished(answer.body);
      if (last - first + 1 !== count) answers.faults.push(`an answer that is wrong: ${answer.body}`);
      const by = this.#late ? "HTTP, late body" : "HTTP";
      answers.acked.push({ topic: stage.name, epoch, first, last, by, sentAt, ackedAt: performance.now() });
    } else {
      answers.refused++;
      if (answer.status !== 503 || !ended()) answers.faults.push(`published over HTTP: ${JSON.stringify(answer)}`);
      await Bun.sleep(PAUSE_MS);
    }
  }
}
