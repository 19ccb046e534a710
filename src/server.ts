import { version } from "../package.json";
import { Broker } from "./broker/broker.ts";
import type { Config } from "./config.ts";
import { LargeAnswers } from "./http/large-answers.ts";
import { originPolicy } from "./http/origin.ts";
import { notFound, routes } from "./http/routes.ts";
import { openLibc } from "./kernel/libc.ts";
import { OpenFiles } from "./kernel/open-files.ts";
import { Progress } from "./kernel/progress.ts";
import { Sockets } from "./kernel/sockets.ts";
import { AnswerBudget } from "./ops/answer-budget.ts";
import { BrokerLog } from "./ops/broker-log.ts";
import { Clock } from "./ops/clock.ts";
import type { Logger } from "./ops/logger.ts";
import { Metrics } from "./ops/metrics.ts";
import { Throttle } from "./ops/throttle.ts";
import { Clients, type Client } from "./transport/clients.ts";
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

/** The least that those who are being closed may leave unsent, all together, in bytes. */
const MIN_CLOSING_BYTES = 4 * 1024 * 1024;

/**
 * Builds the server's parts, connects them and listens.
 *
 * @throws where the address cannot be listened on, with the system's `code`
 */
export function startServer(config: Config, log: Logger): RunningServer {
  let stopping = false;
  const startedAt = performance.now();
  const clock = new Clock();
  const metrics = new Metrics();
  const throttle = new Throttle(log);
  const kernel = openKernel(log);
  const maxConnections = Math.min(config.maxConnections, kernel?.files.maxConnections ?? Number.POSITIVE_INFINITY);
  const broker = new Broker(config, {
    wake: () => pump.wake(),
    soon: (work) => clients.soon(work),
    makeEpoch,
    metrics,
    observer: new BrokerLog(log, throttle),
  });
  const pump = new Pump(broker, config.flushIntervalMs, log);
  const heartbeat = new Heartbeat<Client>(config.heartbeatIntervalMs, clock, log);
  const closingBytes = Math.max(MIN_CLOSING_BYTES, config.historyMemoryBytes / 2);
  const progress = kernel && new Progress(kernel.sockets);
  const budget = new AnswerBudget(config.unreadAnswerBytes);
  const clients = new Clients({
    ...config,
    maxConnections,
    closingBytes,
    progress,
    budget,
    broker,
    metrics,
    log,
    throttle,
  });
  const { maxMessageBytes } = config;
  const transportDeps = { broker, clients, clock, log, throttle, metrics };
  const sockets = new WebSocketTransport({ ...transportDeps, maxMessageBytes, heartbeats: heartbeat.enabled });
  const http = {
    ...transportDeps,
    events: new SseTransport(transportDeps),
    answers: new LargeAnswers(budget),
    mayConnect: originPolicy(config.allowedOrigins),
    stopping: () => stopping,
    maxMessageBytes,
    startedAt,
  };
  for (const name of new Set([...(config.topics ?? []), ...(config.topicsFile ?? [])])) broker.createTopic(name);

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
  heartbeat.start(server, {
    patients: clients,
    progress,
    giveUp: (client) => clients.giveUp(client),
  });
  const port = server.port ?? config.port;
  const shownHost = config.host.includes(":") ? `[${config.host}]` : config.host;
  const url = `http://${shownHost}:${port}`;
  log.info(`listening on ${url}`, { version, host: config.host, port, pid: process.pid });
  if (maxConnections < config.maxConnections) {
    const facts = { connections: maxConnections, files: kernel?.files.limit };
    log.info("MAX_CONNECTIONS is lowered to what the limit of open files allows", facts);
  }
  guardListener(port);

  /** Sets what the listening socket hands on to each connection, and has newcomers told where no file is left for them. */
  function guardListener(listening: number): void {
    if (kernel === undefined) return;
    try {
      const listener = kernel.sockets.listener(listening);
      kernel.sockets.bound(listener, { send: config.sendBufferBytes, receive: config.receiveBufferBytes });
      const { files } = kernel;
      kernel.files.guard(
        listener,
        (newcomers) => {
          const facts = { newcomers, files: files.limit };
          throttle.warn("connections refused: the limit of open files is reached", facts);
        },
        (cause) => log.error("fault while newcomers were told that no file is left", { cause }),
      );
    } catch (cause) {
      log.warn("the buffers of sockets and open files stay as the system has them", { cause });
    }
  }

  return {
    url,
    port,
    stop: async () => {
      stopping = true;
      broker.close();
      heartbeat.stop();
      const connections = clients.size;
      const before = clients.ended;
      const deadline = performance.now() + config.shutdownGraceMs;
      broker.flush();
      await clients.stop(config.shutdownGraceMs);
      const left = Math.max(0, deadline - performance.now());
      await Promise.race([server.stop(), Bun.sleep(left)]);
      await server.stop(true);
      kernel?.files.stop();
      throttle.stop();
      const told = clients.ended.told - before.told;
      const cutOff = clients.ended.cutOff - before.cutOff;
      const uptimeSec = Math.round((performance.now() - startedAt) / 1000);
      log.info("stopped", { connections, told, cut_off: cutOff, ...metrics.totals, uptime_sec: uptimeSec });
    },
  };
}

/** What can be asked of the system past Bun; undefined where nothing can. */
function openKernel(log: Logger): { sockets: Sockets; files: OpenFiles } | undefined {
  try {
    const libc = openLibc();
    return libc && { sockets: new Sockets(libc), files: new OpenFiles(libc) };
  } catch (cause) {
    log.warn("the buffers of sockets and open files stay as the system has them", { cause });
    return undefined;
  }
}

function makeEpoch(): string {
  return crypto.getRandomValues(new Uint8Array(6)).toHex();
}
