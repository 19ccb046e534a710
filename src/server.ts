import { Broker } from "./broker/broker.ts";
import type { Config } from "./config.ts";
import { originPolicy } from "./http/origin.ts";
import { notFound, routes } from "./http/routes.ts";
import { Clock } from "./ops/clock.ts";
import type { Logger } from "./ops/logger.ts";
import { Heartbeat } from "./transport/heartbeat.ts";
import { Pump } from "./transport/pump.ts";
import { WebSocketTransport } from "./transport/websocket.ts";

export type RunningServer = {
  /** Where it listens, such as `http://127.0.0.1:8000`. */
  readonly url: string;
  readonly port: number;
  /** Shuts down: resolves when every client was told and closed, within the grace. */
  stop(): Promise<void>;
};

/**
 * Builds the server's parts, connects them and listens.
 *
 * @throws where the address cannot be listened on, with the system's `code`
 */
export function startServer(config: Config, log: Logger): RunningServer {
  let stopping = false;
  const clock = new Clock();
  const broker = new Broker(config, { wake: () => pump.wake(), makeEpoch });
  const pump = new Pump(() => broker.flush(), config.flushIntervalMs, log);
  const heartbeat = new Heartbeat(config.heartbeatIntervalMs, clock, log);
  const sockets = new WebSocketTransport({ ...config, broker, heartbeat, clock, log });
  const http = {
    broker,
    log,
    mayConnect: originPolicy(config.allowedOrigins),
    stopping: () => stopping,
    maxMessageBytes: config.maxMessageBytes,
    startedAt: performance.now(),
  };

  const server = Bun.serve({
    hostname: config.host,
    port: config.port,
    development: false,
    // Without this, `development: false` shares a port in use (SO_REUSEPORT) instead of reporting it.
    reusePort: false,
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    routes: routes(http),
    fetch: notFound(http),
    websocket: sockets.handler(),
  });
  heartbeat.start(server, sockets.clients);
  const port = server.port ?? config.port;

  return {
    url: `http://${config.host.includes(":") ? `[${config.host}]` : config.host}:${port}`,
    port,
    stop: async () => {
      stopping = true;
      heartbeat.stop();
      const deadline = performance.now() + config.shutdownGraceMs;
      broker.flush();
      await sockets.stop(config.shutdownGraceMs);
      const left = Math.max(0, deadline - performance.now());
      await Promise.race([server.stop(), Bun.sleep(left)]);
      await server.stop(true);
    },
  };
}

function makeEpoch(): string {
  return crypto.getRandomValues(new Uint8Array(6)).toHex();
}
