import { z } from "zod";

const payload = z.tuple([z.int(), z.int(), z.string()]);

/** What publishers were told and subscribers were sent, of all topics and nodes. Two that contradict each other are a fault. */
export class Facts {
  readonly faults: string[] = [];
  readonly counts = { acked: 0, refused: 0, unknown: 0, received: 0, told: 0, moves: 0, takeovers: 0 };
  readonly #places = new Map<string, string>();
  /** The newest number that was acknowledged, by topic and epoch. */
  readonly #acked = new Map<string, number>();

  fault(text: string): void {
    if (this.faults.length < 20) this.faults.push(text);
  }

  readonly #epochs = new Map<string, Set<string>>();

  /** How many epochs a topic has had, as far as anybody was told or sent one of its messages. */
  epochsOf(topic: string): number {
    return this.#epochs.get(topic)?.size ?? 0;
  }

  /** Somebody was told or sent that a message stands there. */
  stands(topic: string, epoch: string, seq: number, message: string, by: string): void {
    const epochs = this.#epochs.get(topic) ?? new Set();
    this.#epochs.set(topic, epochs.add(epoch));
    const place = `${topic} ${epoch}:${seq}`;
    const there = this.#places.get(place);
    if (there === undefined) this.#places.set(place, message);
    else if (there !== message) this.fault(`${place} is ${there} to one and ${message} to ${by}`);
  }

  acked(topic: string, epoch: string, seq: number, message: string): void {
    this.counts.acked++;
    this.stands(topic, epoch, seq, message, "its publisher");
    const key = `${topic} ${epoch}`;
    this.#acked.set(key, Math.max(this.#acked.get(key) ?? 0, seq));
  }

  /** The newest number of an epoch that was acknowledged. */
  newest(topic: string, epoch: string): number {
    return this.#acked.get(`${topic} ${epoch}`) ?? 0;
  }
}

/** A payload, in a word. */
export function messageIn(value: unknown): string {
  const [publisher, number] = payload.parse(value);
  return `${publisher}/${number}`;
}
