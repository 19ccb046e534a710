import type { Broker } from "../broker/broker.ts";
import { TRANSPORTS } from "../broker/ports.ts";
import { exposition, processMetrics, type Metric, type Metrics } from "../ops/metrics.ts";
import type { Clients } from "../transport/clients.ts";

type Deps = { broker: Broker; clients: Clients; metrics: Metrics };

/** `GET /metrics`, in the Prometheus text format. */
export function showMetrics({ broker, clients, metrics }: Deps) {
  const gauge = (name: string, help: string, read: Metric["read"]): Metric => {
    return { name: `pubsub_${name}`, type: "gauge", help, read };
  };
  const all = [
    ...metrics.counters,
    gauge("topics", "Topics.", () => broker.topics.size),
    gauge("subscriptions", "Subscriptions, all topics together.", () => broker.subscriptions),
    gauge("connections", "Clients connected, by transport.", () =>
      TRANSPORTS.map((transport) => ({ labels: { transport }, value: clients.count(transport) })),
    ),
    gauge("history_bytes", "Memory that history takes.", () => broker.historyBytes),
    ...processMetrics(),
  ];
  return (): Response => {
    return new Response(exposition(all), { headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" } });
  };
}
