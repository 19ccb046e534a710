import type { Broker } from "../broker/broker.ts";
import type { Engine } from "../engine/engine.ts";
import { byLabel, exposition, gauge } from "../ops/exposition.ts";
import type { Metrics } from "../ops/metrics.ts";
import { processMetrics } from "../ops/process-metrics.ts";
import { TRANSPORTS } from "../protocol/frames.ts";
import type { Closing } from "../transport/closing.ts";
import type { PeerRegistry } from "../transport/peer-registry.ts";

/** The settings that bound something, and their values, by variable. */
export type Limits = Readonly<Record<string, number>>;

type Deps = {
  broker: Broker;
  engine: Engine;
  registry: PeerRegistry;
  closing: Closing;
  metrics: Metrics;
  limits: Limits;
  maxFiles: number | undefined;
};

/** `GET /metrics`, in the Prometheus text format. */
export function showMetrics({ broker, engine, registry, closing, metrics, limits, maxFiles }: Deps) {
  const counted = metrics.all;
  const ofProcess = processMetrics(maxFiles);
  return (): Response => {
    const { topics, subscriptions, historyBytes } = broker.stats;
    const { queued, unflushed, unreported, lagging } = broker.backlog;
    const text = exposition([
      ...counted,
      gauge("events_queued", "Events that wait for a connection to take more.", () => queued),
      gauge("events_unflushed", "Events that wait for the flush of what was just published.", () => unflushed),
      gauge("events_dropped_unreported", "Events dropped whose subscribers are not told yet.", () => unreported),
      gauge("engine_up", "Whether the engine can be reached; always, in memory.", () =>
        engine.away === undefined ? 1 : 0,
      ),
      gauge("topics", "Topics that this node has used.", () => topics),
      gauge("subscriptions", "Subscriptions at this node, all topics together.", () => subscriptions),
      gauge("subscriptions_lagging", "Subscriptions that something is queued for.", () => lagging),
      gauge("connections", "Clients connected, by transport.", () =>
        byLabel(
          "transport",
          TRANSPORTS.map((transport) => [transport, registry.count(transport)]),
        ),
      ),
      gauge(
        "connections_closing",
        "Those of them that are being closed, and were counted as closed.",
        () => closing.size,
      ),
      gauge("history_bytes", "Memory that history takes.", () => historyBytes),
      gauge("unsent_bytes", "Memory of events that clients do not take.", () => registry.unsent.used),
      gauge("configured_limit", "Settings that bound something.", () => byLabel("setting", Object.entries(limits))),
      ...ofProcess,
    ]);
    return new Response(text, { headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" } });
  };
}
