import type { Entry, Report } from "./ledger.ts";

/** What a topic's subscription had, by `EPOCH:SEQ`, and how far it came in each epoch. */
type Seen = { ids: Map<string, string>; gone: Set<string>; ends: Map<string, number> };

/**
 * What does not balance in a report. A subscription must have every number of an epoch once, in order, as an event or in
 * a gap, up to where nobody can know; every publish that was acked is at the place that its ack named.
 *
 * @param goesOn whether an epoch may begin with any number
 */
export function problemsOf({ topics, acked, errors, refused }: Report, goesOn = false): string[] {
  const problems = [...errors.map((error) => `error: ${error}`), ...refused.map((code) => `refused: ${code}`)];
  const seen = new Map(
    Object.entries(topics).map(([topic, entries]) => [topic, read(topic, entries, goesOn, problems)]),
  );
  const places = new Map<string, string>();
  for (const { topic, epoch, first, seq, ids } of acked) {
    const known = seen.get(topic);
    if (seq - first + 1 !== ids.length)
      problems.push(`${topic}: ${ids.length} messages have the places ${first} to ${seq}`);
    for (const [index, id] of ids.entries()) {
      const at = `${epoch}:${first + index}`;
      const other = places.get(`${topic} ${at}`);
      if (other !== undefined) problems.push(`${topic} ${at} was promised to ${other} and to ${id}`);
      places.set(`${topic} ${at}`, id);
      const end = known?.ends.get(epoch);
      if (known === undefined || end === undefined || first + index > end) continue;
      const found = known.ids.get(at);
      if (found === undefined && !known.gone.has(at)) problems.push(`${topic} ${at}: ${id} was neither seen nor told`);
      if (found !== undefined && found !== id) problems.push(`${topic} ${at} is ${found} and not ${id}`);
    }
  }
  return problems;
}

/** Reads what one subscription was handed out. */
function read(topic: string, entries: readonly Entry[], goesOn: boolean, problems: string[]): Seen {
  const seen: Seen = { ids: new Map(), gone: new Set(), ends: new Map() };
  const idsOfEpoch = new Map<string, Set<string>>();
  let at: { epoch: string; seq: number } | undefined;
  let isOver = false;
  for (const entry of entries) {
    const first = "seq" in entry ? entry.seq : entry.first;
    // A filled range names events that came before it.
    if ("status" in entry && entry.status === "filled") {
      const isThere = Array.from({ length: (entry.last ?? 0) - first + 1 }, (_, i) => `${entry.epoch}:${first + i}`);
      for (const place of isThere) if (!seen.ids.has(place)) problems.push(`${topic} ${place} is not filled`);
      continue;
    }
    const begins = goesOn ? undefined : 1;
    const expected: number | undefined = at === undefined ? undefined : at.epoch === entry.epoch ? at.seq + 1 : begins;
    if (expected !== undefined && first !== expected) {
      problems.push(`${topic}: ${entry.epoch}:${first} comes after ${at?.epoch}:${at?.seq}`);
    }
    if (at !== undefined && at.epoch !== entry.epoch) {
      if (seen.ends.has(entry.epoch)) problems.push(`${topic}: epoch ${entry.epoch} comes back`);
      if (!isOver) problems.push(`${topic}: nobody was told that epoch ${at.epoch} is over`);
    }
    isOver = "last" in entry && entry.last === null;
    const last = "seq" in entry ? entry.seq : (entry.last ?? first - 1);
    at = { epoch: entry.epoch, seq: last };
    seen.ends.set(at.epoch, at.seq);
    if ("seq" in entry) {
      const ids = idsOfEpoch.get(entry.epoch) ?? new Set();
      idsOfEpoch.set(entry.epoch, ids.add(entry.id));
      seen.ids.set(`${entry.epoch}:${entry.seq}`, entry.id);
    } else for (let seq = first; seq <= last; seq++) seen.gone.add(`${entry.epoch}:${seq}`);
  }
  for (const [epoch, ids] of idsOfEpoch) {
    const events = entries.filter((entry) => "seq" in entry && entry.epoch === epoch).length;
    if (events !== ids.size) problems.push(`${topic}: ${events - ids.size} ids came twice in epoch ${epoch}`);
  }
  return seen;
}
