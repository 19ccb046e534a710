import { Broker } from "./broker/broker.ts";
import type { Config } from "./config.ts";
import { originPolicy } from "./http/origin.ts";
import { notFound, routes } from "./http/routes.ts";
import { Clock } from "./ops/clock.ts";
import type { Logger } from "./ops/logger.ts";
import { Metrics } from "./ops/metrics.ts";
import { boundSendBuffers } from "./send-buffer.ts";
import { Clients } from "./transport/clients.ts";
import { Heartbeat } from "./transport/heartbeat.ts";
import { Pump } from "./transport/pump.ts";
import { SseTransport } from "./transport/sse.ts";
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
  const metrics = new Metrics();
  const broker = new Broker(config, { wake: () => pump.wake(), makeEpoch, metrics });
  const pump = new Pump(broker, config.flushIntervalMs, log);
  const heartbeat = new Heartbeat(config.heartbeatIntervalMs, clock, log);
  const clients = new Clients({ ...config, broker, metrics, log });
  const transportDeps = { broker, clients, heartbeat, clock, log, metrics };
  const sockets = new WebSocketTransport({ ...transportDeps, maxMessageBytes: config.maxMessageBytes });
  const http = {
    broker,
    clients,
    events: new SseTransport(transportDeps),
    clock,
    log,
    metrics,
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
  heartbeat.start(server, clients);
  const port = server.port ?? config.port;
  try {
    boundSendBuffers(port);
  } catch (cause) {
    log.warn("the kernel's send buffers stay as large as the system has them", { cause });
  }

  return {
    url: `http://${config.host.includes(":") ? `[${config.host}]` : config.host}:${port}`,
    port,
    stop: async () => {
      stopping = true;
      heartbeat.stop();
      const deadline = performance.now() + config.shutdownGraceMs;
      broker.flush();
      await clients.stop(config.shutdownGraceMs);
      const left = Math.max(0, deadline - performance.now());
      await Promise.race([server.stop(), Bun.sleep(left)]);
      await server.stop(true);
    },
  };
}

function makeEpoch(): string {
  return crypto.getRandomValues(new Uint8Array(6)).toHex();
}
