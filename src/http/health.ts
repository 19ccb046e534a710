import type { Broker } from "../broker/broker.ts";
import { shuttingDown } from "../protocol/codes.ts";

/** `GET /health` @param startedAt milliseconds, as `performance.now()` counts them */
export function health({ broker, startedAt }: { broker: Broker; startedAt: number }) {
  return (): Response => {
    const uptimeSec = Math.floor((performance.now() - startedAt) / 1000);
    const { topics, subscriptions } = broker.stats;
    return Response.json({ uptime_sec: uptimeSec, topics, subscribers: subscriptions });
  };
}

/** `GET /livez` */
export function livez(): Response {
  return Response.json({ status: "ok" });
}

/** `GET /readyz` */
export function readyz({ stopping }: { stopping: () => boolean }) {
  return (): Response => {
    if (stopping()) throw shuttingDown();
    return Response.json({ status: "ok" });
  };
}
