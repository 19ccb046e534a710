import { Chart } from "./chart.tsx";
import { bytes, count, plural, rate } from "./format.ts";
import { LedgerView } from "./ledger.tsx";
import type { TopicDetail } from "./read.ts";
import { Tile } from "./tile.tsx";
import type { TopicFigures, TopicState } from "./topic-watch.ts";
import { Unanswered } from "./unanswered.tsx";

const LINES = [
  { label: "Published", color: "published" },
  { label: "Delivered", color: "delivered" },
] as const;

/** A topic's figures, and its rates over time. */
export function Figures({ of, ownId }: { of: TopicFigures; ownId: string }) {
  const { detail, points, isStale } = of;
  return (
    <section class={isStale ? "figures stale" : "figures"} aria-label="Figures">
      <dl class="tiles">
        <Tile name="Published" value={count(detail.seq)} note={`epoch ${detail.epoch}`} />
        <Tile name="Published a second" value={rate(of.rate)} />
        <Tile name="History" value={count(detail.messages)} note={sizeOf(detail)} />
        <Tile name="Subscribers" value={count(detail.total)} note={noteOn(detail, ownId)} />
      </dl>
      <div class="panel">
        <Chart title="Messages a second" lines={LINES} points={points} />
      </div>
    </section>
  );
}

/** How large history is. A node tells that of its own memory, which has it only once somebody there subscribes. */
function sizeOf(detail: TopicDetail): string | undefined {
  return detail.bytes === 0 && detail.messages > 0 ? undefined : bytes(detail.bytes);
}

/** The page itself subscribes, too. */
function noteOn({ total, subscribers, unanswered }: TopicDetail, ownId: string): string | undefined {
  if (unanswered > 0) return `without ${plural(unanswered, "node")}`;
  // The answer lists the first of many only.
  const isAmong = total > subscribers.length || subscribers.some(({ clientId }) => clientId === ownId);
  if (!isAmong) return undefined;
  return total === 1 ? "only this page" : "this page among them";
}

export function TopicLedger({ state }: { state: TopicState }) {
  if (state.is !== "there") return <p class="empty">Loading</p>;
  const { ledger, unanswered } = state.detail;
  return (
    <>
      <Unanswered nodes={unanswered} />
      <LedgerView ledger={ledger} title="All subscribers, those that have left included" />
    </>
  );
}
