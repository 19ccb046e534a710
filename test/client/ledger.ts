/**
 * What one client sees and does while its server comes and goes. It runs wherever the library does: in Bun, in Node and in
 * a page.
 */
import type { connect as Connect, Item, Subscription } from "../../src/client/index.ts";

/** An item, in short: a number that came, or a range that did not. */
export type Entry =
  { epoch: string; seq: number; id: string } | { epoch: string; first: number; last: number | null; status: string };

export type Report = {
  /** What each subscription was handed out, in order. */
  topics: Record<string, Entry[]>;
  acked: { topic: string; epoch: string; first: number; seq: number; ids: readonly string[]; duplicate: boolean }[];
  /** The codes of publishes that were refused. */
  refused: string[];
  errors: string[];
  /** How often it was connected. */
  connections: number;
};

/** The topics that it publishes to. */
export const LEDGER_TOPICS = ["plain", "repaired", "iterated"] as const;
/** A topic that it reads only. */
export const CROWDED = "crowded";

/** How many publishes may wait before no more are made. */
const MOST_PENDING = 300;

type Payloads = Record<(typeof LEDGER_TOPICS)[number] | typeof CROWDED, number>;

/** Publishes to all topics and reads them, each in another way, until it is stopped. */
export function begin(connect: typeof Connect, url: string) {
  const report: Report = { topics: {}, acked: [], refused: [], errors: [], connections: 0 };
  const client = connect<Payloads>(url, {
    backoff: { firstMs: 20, mostMs: 100 },
    onState: (state) => (report.connections += state === "connected" ? 1 : 0),
    onError: (cause) => report.errors.push(String(cause)),
  });
  const entriesOf = (topic: string) => (report.topics[topic] ??= []);
  const note = (item: Item) => {
    const { topic, epoch } = item;
    if (item.type === "event") entriesOf(topic).push({ epoch, seq: item.seq, id: item.id });
    else {
      const { first_seq: first, last_seq: last = null, status } = item;
      entriesOf(topic).push({ epoch, first, last, status });
    }
  };
  const called = { last: 0, onEvent: note, onGap: note };
  const subscriptions: Subscription<number>[] = [
    client.subscribe("plain", called),
    client.subscribe("repaired", { ...called, repair: true }),
    client.subscribe(CROWDED, { ...called, repair: true }),
  ];
  const iterated = client.subscribe("iterated", { repair: true, queue: 5 });
  subscriptions.push(iterated);
  const reading = (async () => {
    let taken = 0;
    for await (const item of iterated) {
      note(item);
      // Now and then it does not keep up.
      if (++taken % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();

  let made = 0;
  const publish = async (topic: (typeof LEDGER_TOPICS)[number]) => {
    try {
      const batch = made % 5 === 0 ? [{ payload: ++made }, { payload: ++made }] : undefined;
      const published = await (batch ? client.publishBatch(topic, batch) : client.publish(topic, ++made));
      const { epoch, first_seq: first, seq, ids, duplicate } = published;
      report.acked.push({ topic, epoch, first, seq, ids, duplicate });
    } catch (cause) {
      report.refused.push(cause instanceof Error && "code" in cause ? String(cause.code) : String(cause));
    }
  };
  let hasBegun = false;
  const timer = setInterval(() => {
    // What is published before a subscription begins is none of its business.
    hasBegun ||= subscriptions.every(({ state }) => state === "live");
    if (!hasBegun) return;
    for (const topic of LEDGER_TOPICS) if (client.pending < MOST_PENDING) void publish(topic);
  }, 2);

  /** Resolves once all is acked and handed out, and the client is closed. */
  const stop = async (): Promise<Report> => {
    clearInterval(timer);
    await client.flush();
    const last = await Promise.all(LEDGER_TOPICS.map((topic) => client.publish(topic, 0)));
    const isThere = ({ topic, epoch, seq }: (typeof last)[number]) => {
      const at = subscriptions.find((one) => one.topic === topic)?.position;
      return at?.epoch === epoch && at.seq >= seq;
    };
    while (!last.every(isThere)) await new Promise((resolve) => setTimeout(resolve, 5));
    await client.close();
    await reading;
    return report;
  };
  return { stop };
}
