import type { Engine } from "../engine/engine.ts";
import { shuttingDown, unavailable } from "../protocol/codes.ts";

/** `GET /health` @param startedAt milliseconds, as `performance.now()` counts them */
export function health({ engine, startedAt }: { engine: Engine; startedAt: number }) {
  return async (): Promise<Response> => {
    const { topics, subscribers } = await engine.totals();
    const uptimeSec = Math.floor((performance.now() - startedAt) / 1000);
    return Response.json({ uptime_sec: uptimeSec, topics, subscribers });
  };
}

/** `GET /livez` */
export function livez(): Response {
  return Response.json({ status: "ok" });
}

/** `GET /readyz` */
export function readyz({ engine, stopping }: { engine: Engine; stopping: () => boolean }) {
  return (): Response => {
    if (stopping()) throw shuttingDown();
    if (engine.away !== undefined) throw unavailable(engine.away);
    return Response.json({ status: "ok" });
  };
}

/** `GET /nodes` */
export function nodes({ engine, nodeId }: { engine: Engine; nodeId: string }) {
  return async (): Promise<Response> => Response.json({ node: nodeId, nodes: await engine.nodes() });
}
