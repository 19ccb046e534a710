import { limitExceeded } from "../../protocol/codes.ts";
import { topicText, type Published } from "../../protocol/encode.ts";
import type { Publication } from "../../protocol/messages.ts";
import type { PublishAnswer } from "./answers.ts";
import type { Commands } from "./commands.ts";
import type { Replicas } from "./replicas.ts";

/** What a publish takes while it waits, besides its payloads, in bytes. */
const PUBLISH_BYTES = 256;

export type PublisherPorts = {
  commands: Commands;
  replicas: Replicas;
  underWay: UnderWay;
  /** The most bytes of messages that wait for Redis. */
  mostBytes: number;
  /** What this node is called. */
  id: string;
  isoOf(ms: number): string;
  /** So many messages have got their place. */
  published(messages: number): void;
  /** Asks again after what Redis has lost is put back. */
  unlessLost<T>(name: string, ask: () => Promise<T>): Promise<T>;
};

/** The tags of publishes that are not answered yet. */
export type UnderWay = Set<string>;

/** Has Redis place messages, and bounds what waits for it. */
export class Publisher {
  readonly #ports: PublisherPorts;
  #publishes = 0;
  #bytes = 0;

  constructor(ports: PublisherPorts) {
    this.#ports = ports;
  }

  /** @throws {ProtocolError} `TOPIC_NOT_FOUND`, `TOO_LARGE`, `LIMIT_EXCEEDED`, `UNAVAILABLE` */
  async publish(name: string, publication: Publication, accepted: (published: Published) => void): Promise<void> {
    const { commands, replicas, underWay, mostBytes, id, unlessLost } = this.#ports;
    const bytes = publication.messages.reduce((sum, { payload }) => sum + payload.length, PUBLISH_BYTES);
    if (this.#bytes > 0 && this.#bytes + bytes > mostBytes) {
      throw limitExceeded("ENGINE_PENDING_BYTES", mostBytes, { topic: name });
    }
    this.#bytes += bytes;
    const tag = `${id}:${++this.#publishes}`;
    underWay.add(tag);
    const settle = () => {
      if (!underWay.delete(tag)) return;
      this.#bytes -= bytes;
      const topic = replicas.get(name);
      if (topic !== undefined) replicas.handOver(topic);
    };
    const placed = (answer: PublishAnswer) => {
      accepted(this.#publishedBy(name, answer));
      settle();
    };
    const ask = () => {
      const text = replicas.get(name)?.text ?? topicText(name, "");
      return commands.publish(replicas.subject(name), text, tag, publication, placed);
    };
    try {
      await unlessLost(name, ask);
    } finally {
      settle();
    }
  }

  #publishedBy(name: string, { born, epoch, first, seq, ms, count, duplicate }: PublishAnswer): Published {
    const { replicas, isoOf, published } = this.#ports;
    // What was published before may be of an epoch that is over, and tells nothing of the present one.
    const topic = duplicate ? replicas.get(name) : replicas.meet(name, { born, epoch });
    const text = topic?.text.epoch === epoch ? topic.text : topicText(name, epoch);
    if (topic !== undefined && topic.text.epoch === epoch) topic.acked = Math.max(topic.acked, seq);
    if (!duplicate) published(count);
    return { text, first, seq, ts: isoOf(ms), count, duplicate };
  }
}
