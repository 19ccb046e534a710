import type { Received } from "./received.ts";

export const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** The numbers of the events among what was received. */
export function seqsOf(received: readonly Received[]): number[] {
  return received.flatMap((one) => (one.kind === "event" ? [one.seq] : []));
}

/** What a subscriber's events and gaps come to. */
export type Account = { seqs: number[]; gaps: [first: number, last: number][] };

/**
 * Adds up what was received from `after` on.
 *
 * @throws where a number is neither in an event nor in a gap, or in more than one, or out of order
 */
export function account(received: readonly Received[], after: number): Account {
  const seqs: number[] = [];
  const gaps: [number, number][] = [];
  let last = after;
  for (const one of received) {
    if (one.kind === "event") {
      if (one.seq !== last + 1) throw new Error(`Event ${one.seq} came after ${last}`);
      seqs.push(one.seq);
      last = one.seq;
    }
    if (one.kind === "gap") {
      if (one.first !== last + 1) throw new Error(`The gap ${one.first} to ${one.last} came after ${last}`);
      if (one.dropped !== one.last - one.first + 1 || one.dropped < 1) {
        throw new Error(`The gap ${one.first} to ${one.last} is said to be ${one.dropped} events`);
      }
      gaps.push([one.first, one.last]);
      last = one.last;
    }
  }
  return { seqs, gaps };
}
