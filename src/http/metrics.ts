import type { Broker } from "../broker/broker.ts";
import { TRANSPORTS } from "../protocol/frames.ts";
import { exposition, processMetrics, type Metric, type Metrics } from "../ops/metrics.ts";
import type { PeerRegistry } from "../transport/peer-registry.ts";

type Deps = { broker: Broker; registry: PeerRegistry; metrics: Metrics };

/** `GET /metrics`, in the Prometheus text format. */
export function showMetrics({ broker, registry, metrics }: Deps) {
  const gauge = (name: string, help: string, read: Metric["read"]): Metric => {
    return { name: `pubsub_${name}`, type: "gauge", help, read };
  };
  const all = [
    ...metrics.counters,
    gauge("topics", "Topics.", () => broker.stats.topics),
    gauge("subscriptions", "Subscriptions, all topics together.", () => broker.stats.subscriptions),
    gauge("connections", "Clients connected, by transport.", () =>
      TRANSPORTS.map((transport) => ({ labels: { transport }, value: registry.count(transport) })),
    ),
    gauge("history_bytes", "Memory that history takes.", () => broker.stats.historyBytes),
    ...processMetrics(),
  ];
  return (): Response => {
    return new Response(exposition(all), { headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" } });
  };
}
