import { z } from "zod";

/** One message as its publisher knows it: the publisher's number and how many it had published by then. */
export type Publication = { publisher: number; number: number };

/** The payload of a publication: whose it is, the how manieth of its publisher, and something to give it weight. */
const payloadSchema = z.tuple([z.int(), z.int(), z.string()]);

/** Which publication a message is. */
export function publicationOf({ payload }: { payload?: unknown }): Publication {
  const [publisher, number] = payloadSchema.parse(payload);
  return { publisher, number };
}

type Epoch = { topic: string; at: (Publication | undefined)[] };

/**
 * What was published, and where it stands, from everybody's testimony: the acks of publishers, and the events that
 * subscribers were sent. Throws as soon as two of them contradict each other.
 */
export class Truth {
  /** Messages that were published for certain. */
  published = 0;
  /** Those among them whose publishers were told no place. */
  unplaced = 0;
  readonly #epochs = new Map<string, Epoch>();
  readonly #refused = new Set<string>();

  /** A publisher was told that its messages stand at `first` and after. */
  acked(topic: string, epoch: string, first: number, publications: readonly Publication[]): void {
    this.published += publications.length;
    for (const [index, publication] of publications.entries()) this.stands(topic, epoch, first + index, publication);
  }

  /** A publisher that wanted no ack was told of no error either. */
  accepted(publications: readonly Publication[]): void {
    this.published += publications.length;
    this.unplaced += publications.length;
  }

  /** A publisher was told that none of these was published. */
  refused(publications: readonly Publication[]): void {
    for (const publication of publications) this.#refused.add(nameOf(publication));
  }

  /** Somebody was told or sent this. */
  stands(topic: string, epoch: string, seq: number, publication: Publication): void {
    const known = this.#epoch(topic, epoch);
    if (known.topic !== topic) throw new Error(`Epoch ${epoch} is one of ${known.topic} and one of ${topic}`);
    const there = known.at[seq];
    known.at[seq] = publication;
    if (there === undefined || nameOf(there) === nameOf(publication)) return;
    throw new Error(`${epoch}:${seq} of ${topic} is ${nameOf(there)} to one and ${nameOf(publication)} to another`);
  }

  /** The epoch is known to have got to `seq`. */
  reached(topic: string, epoch: string, seq: number): void {
    const { at } = this.#epoch(topic, epoch);
    if (at.length <= seq) at.length = seq + 1;
  }

  /** The last `seq` of an epoch, as far as anybody knows. */
  newest(epoch: string): number {
    return Math.max(0, (this.#epochs.get(epoch)?.at.length ?? 1) - 1);
  }

  /** Holds all of it together, once nothing more is published. */
  check(): void {
    const seen = new Set<string>();
    let places = 0;
    let unknown = 0;
    for (const [epoch, { topic, at }] of this.#epochs) {
      const last = new Map<number, number>();
      places += Math.max(0, at.length - 1);
      for (let seq = 1; seq < at.length; seq++) {
        const publication = at[seq];
        if (publication === undefined) {
          unknown++;
          continue;
        }
        const name = nameOf(publication);
        if (seen.has(name)) throw new Error(`${name} stands in two places, one of them ${epoch}:${seq} of ${topic}`);
        if (this.#refused.has(name)) throw new Error(`${name} was refused, and stands at ${epoch}:${seq} of ${topic}`);
        seen.add(name);
        const before = last.get(publication.publisher) ?? 0;
        if (publication.number < before) throw new Error(`${name} stands at ${epoch}:${seq}, after number ${before}`);
        last.set(publication.publisher, publication.number);
      }
    }
    if (places > this.published) throw new Error(`${places} places, and ${this.published} were published`);
    const unseen = this.published - places + unknown;
    if (unseen > this.unplaced) throw new Error(`${unseen} messages were seen by nobody, and ${this.unplaced} may be`);
  }

  #epoch(topic: string, name: string): Epoch {
    const known = this.#epochs.get(name) ?? { topic, at: [] };
    this.#epochs.set(name, known);
    return known;
  }
}

function nameOf({ publisher, number }: Publication): string {
  return `publication ${publisher}/${number}`;
}
