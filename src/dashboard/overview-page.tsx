import { Chart } from "./chart.tsx";
import { bytes, count, duration, transport } from "./format.ts";
import type { Figures } from "./figures.ts";
import { LedgerView } from "./ledger.tsx";
import { isShared, NodeList } from "./nodes.tsx";
import type { Overview } from "./overview.ts";
import { Tile } from "./tile.tsx";

const PUBLISHED = [{ label: "Published", color: "published" }] as const;
const DELIVERED = [{ label: "Delivered", color: "delivered" }] as const;

const HEIGHT = 220;

/** The server as a whole; of several nodes, the one that answers, and then a list of all. */
export function OverviewPage({ overview }: { overview: Overview }) {
  const { figures, nodes, points, isStale } = overview;
  if (figures === undefined)
    return <p class="empty wide">Choose a topic. This credential may not see the server's figures.</p>;
  return (
    <>
      <h2 tabindex={-1}>Server</h2>
      {isShared(nodes) && (
        <p class="hint">
          Topics are those of all {count(nodes.all.length)} nodes together. The other figures, the charts and the ledger
          are of the node that serves this page.
        </p>
      )}
      <Tiles figures={figures} topics={overview.topics.size} isStale={isStale} />
      <div class="charts">
        <div class="panel">
          <Chart title="Published a second" lines={PUBLISHED} points={points} height={HEIGHT} />
        </div>
        <div class="panel">
          <Chart
            title="Delivered a second"
            lines={DELIVERED}
            height={HEIGHT}
            points={points.map(({ at, values }) => ({ at, values: values.slice(1) }))}
          />
        </div>
      </div>
      <LedgerView ledger={figures.ledger} title="Ledger of all events" />
      {isShared(nodes) && <NodeList nodes={nodes} isStale={isStale} />}
    </>
  );
}

function Tiles({ figures, topics, isStale }: { figures: Figures; topics: number; isStale: boolean }) {
  const { published, connections, subscriptions, lagging, historyBytes, historyLimit, startedAt } = figures;
  const clients = connections.reduce((sum, [, number]) => sum + number, 0);
  const byTransport = connections
    .filter(([, number]) => number > 0)
    .map(([name, number]) => `${count(number)} ${transport(name)}`);
  return (
    <dl class="tiles">
      <Tile name="Topics" value={count(topics)} />
      <Tile name="Published" value={count(published)} />
      <Tile name="Connections" value={count(clients)} note={byTransport.join(", ")} />
      <Tile name="Subscriptions" value={count(subscriptions)} note={`${count(lagging)} lagging`} />
      <Tile name="History" value={bytes(historyBytes)} note={`of ${bytes(historyLimit)}`} />
      <Tile name="Running for" value={isStale ? "–" : duration(Date.now() - startedAt * 1000)} />
    </dl>
  );
}
