import type { ServerFrame, Transport } from "../../../src/protocol/frames.ts";
import { serverFrame } from "../../../src/protocol/sent-schema.ts";
import { topicUrl } from "../../support/answers.ts";
import { EventStreamParser } from "../../support/event-stream.ts";
import type { Random } from "../../support/random.ts";
import { messageIn, type Facts } from "./facts.ts";
import type { Where } from "./publisher.ts";

/** A subscriber: its `client_id`, its only topic, and how it is connected. */
export type Who = { name: string; topic: string; transport: Transport };

type Position = { epoch: string; seq: number };

/** A connection: whether what comes on it still counts, and what to call at its end. */
type Line = { isCurrent: boolean; end(): void };

/**
 * Subscribes to one topic under one `client_id`, and goes from node to node with its position. Everything after it has to
 * come, in order, or be told as lost: a gap, what was missed, a new epoch.
 */
export class NodeSubscriber {
  readonly name: string;
  readonly topic: string;
  position: Position | undefined;
  readonly #transport: Transport;
  readonly #where: Where;
  readonly #facts: Facts;
  readonly #random: Random;
  #hangUp: () => void = () => {};
  #stays = false;
  #stopped = false;
  #over = Promise.resolve();

  constructor({ name, topic, transport }: Who, where: Where, facts: Facts, random: Random) {
    this.name = name;
    this.topic = topic;
    this.#transport = transport;
    this.#where = where;
    this.#facts = facts;
    this.#random = random;
  }

  start(): void {
    this.#over = this.#live();
  }

  /** Moves no more. */
  settle(): void {
    this.#stays = true;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#hangUp();
    await this.#over;
  }

  async #live(): Promise<void> {
    while (!this.#stopped) {
      await this.#session();
      if (!this.#stopped) await Bun.sleep(20 + this.#random.int(300));
    }
  }

  /** One connection. At its end it leaves, or lets its next connection take over. */
  async #session(): Promise<void> {
    const over = Promise.withResolvers<void>();
    const line: Line = { isCurrent: true, end: over.resolve };
    const hangUp = this.#transport === "sse" ? this.#openStream(line) : this.#openSocket(line);
    this.#hangUp = hangUp;
    const timer = setTimeout(
      () => {
        if (this.#stays) return;
        this.#facts.counts.moves++;
        line.isCurrent = false;
        // The next connection takes over from this one, which is still there for a while.
        if (this.#random.chance(0.3)) {
          this.#facts.counts.takeovers++;
          setTimeout(hangUp, 500);
        } else hangUp();
        line.end();
      },
      500 + this.#random.int(6000),
    );
    await over.promise;
    line.isCurrent = false;
    clearTimeout(timer);
  }

  #openSocket(line: Line): () => void {
    const socket = new WebSocket(this.#where().wsUrl);
    socket.onopen = () => this.#subscribe(socket);
    socket.onmessage = ({ data }) => {
      if (!line.isCurrent) return;
      if (this.#takeText(String(data)) === "again")
        setTimeout(() => this.#subscribe(socket), 100 + this.#random.int(200));
    };
    socket.onclose = line.end;
    socket.onerror = line.end;
    return () => socket.close();
  }

  #openStream(line: Line): () => void {
    const abort = new AbortController();
    const since = this.position === undefined ? "" : `&since=${this.position.epoch}:${this.position.seq}`;
    const url = topicUrl(this.#where(), this.topic, `/events?client_id=${this.name}${since}`);
    const read = async () => {
      const response = await fetch(url, { signal: abort.signal });
      if (response.status !== 200 || response.body === null) return;
      const parser = new EventStreamParser();
      for await (const chunk of response.body) {
        for (const { data } of parser.push(chunk)) {
          if (!line.isCurrent) return;
          if (this.#takeText(data) === "again") return;
        }
      }
    };
    // A node that is gone ends it.
    read().then(line.end, line.end);
    return () => abort.abort();
  }

  #subscribe(socket: WebSocket): void {
    if (socket.readyState !== WebSocket.OPEN) return;
    const frame = { type: "subscribe", topic: this.topic, client_id: this.name, since: this.position };
    socket.send(JSON.stringify(frame));
  }

  #takeText(text: string): "again" | undefined {
    const { data, error } = serverFrame.safeParse(JSON.parse(text));
    if (error === undefined) return this.#take(data);
    this.#fault(`was sent ${text}`);
    return undefined;
  }

  /** Takes a frame into account. Returns `again` if it has to subscribe once more. */
  #take(frame: ServerFrame): "again" | undefined {
    if (frame.type === "event") this.#event(frame.seq, messageIn(frame.message.payload));
    else if (frame.type === "ack" && "replay" in frame) this.#begun(frame);
    else if (frame.type === "error" && frame.error.code === "SLOW_CONSUMER") this.#gap(frame.error);
    else if (frame.type === "error") {
      const { code, message } = frame.error;
      // The topic is not there for a moment where Redis has lost it.
      if (!["UNAVAILABLE", "TOPIC_NOT_FOUND", "SHUTTING_DOWN"].includes(code)) {
        this.#fault(`was answered ${code}: ${message}`);
      }
      return "again";
    } else if (frame.type === "info" && frame.msg === "epoch_changed") {
      this.position = { epoch: frame.epoch, seq: frame.seq };
    } else if (frame.type === "info" && frame.msg === "topic_deleted" && frame.reason === undefined) {
      this.#fault("was told that its topic is deleted");
    }
    return undefined;
  }

  #begun(ack: {
    epoch: string;
    seq: number;
    replay: number;
    recovered?: boolean | undefined;
    missed?: object | undefined;
  }): void {
    const { epoch, seq, replay, recovered, missed } = ack;
    const start = seq - replay;
    const before = this.position;
    this.position = { epoch, seq: start };
    if (before === undefined) return;
    const range = missed !== undefined && "last_seq" in missed ? Number(missed.last_seq) : undefined;
    if (recovered === true && (before.epoch !== epoch || before.seq !== start)) {
      this.#fault(`is said to be recovered from ${before.epoch}:${before.seq}, and begins at ${epoch}:${start}`);
    }
    if (recovered === false && range === undefined && before.epoch === epoch) {
      this.#fault(`is not told what it missed since ${before.epoch}:${before.seq}`);
    }
    if (range !== undefined) {
      this.#facts.counts.told += range - before.seq;
      if (before.epoch !== epoch || range !== start) {
        this.#fault(`missed up to ${range} since ${before.epoch}:${before.seq}, and begins at ${epoch}:${start}`);
      }
    }
  }

  #event(seq: number, message: string): void {
    if (this.position === undefined) return this.#fault(`was sent ${seq} before its ack`);
    const { epoch } = this.position;
    if (seq !== this.position.seq + 1) this.#fault(`was sent ${epoch}:${seq} after ${this.position.seq}`);
    this.#facts.counts.received++;
    this.#facts.stands(this.topic, epoch, seq, message, this.name);
    this.position = { epoch, seq };
  }

  #gap({ first_seq, last_seq }: { first_seq: number; last_seq: number }): void {
    if (this.position === undefined) return this.#fault("was told of a gap before its ack");
    const { epoch, seq } = this.position;
    if (first_seq !== seq + 1) this.#fault(`was told of a gap from ${epoch}:${first_seq} after ${seq}`);
    this.#facts.counts.told += last_seq - first_seq + 1;
    this.position = { epoch, seq: last_seq };
  }

  #fault(text: string): void {
    this.#facts.fault(`${this.name} of ${this.topic} ${text}`);
  }
}
