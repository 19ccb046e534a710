import { version } from "../package.json";
import { Authenticator, type Credentials } from "./auth/authenticator.ts";
import { Broker } from "./broker/broker.ts";
import { limitsOf, type Config } from "./config.ts";
import type { Engine } from "./engine/engine.ts";
import { addressBy } from "./http/client.ts";
import { LargeAnswers } from "./http/large-answers.ts";
import { originPolicy } from "./http/origin.ts";
import { notFound, routes } from "./http/routes.ts";
import { RequestsUnderWay } from "./http/under-way.ts";
import { openKernel } from "./kernel/kernel.ts";
import { Progress } from "./kernel/progress.ts";
import { dangersOf, shortagesOf } from "./warnings.ts";
import { Listener } from "./listener.ts";
import { openEngine } from "./open-engine.ts";
import { AnswerBudget } from "./ops/answer-budget.ts";
import { BrokerLog } from "./ops/broker-log.ts";
import { ClientAddress } from "./ops/client-address.ts";
import { Clock } from "./ops/clock.ts";
import type { Logger } from "./ops/logger.ts";
import { watchLoopDelay } from "./ops/loop-delay.ts";
import { Metrics } from "./ops/metrics.ts";
import { PublishLimits } from "./ops/publish-limits.ts";
import { aboutThisProcess } from "./ops/about-process.ts";
import { nextTurn } from "./ops/next-turn.ts";
import { Throttle } from "./ops/throttle.ts";
import { CLOSE } from "./protocol/codes.ts";
import type { NodeInfo } from "./protocol/nodes.ts";
import { makeReload } from "./reload.ts";
import type { TlsPair } from "./tls.ts";
import { BatchSizes } from "./transport/batch-sizes.ts";
import { Closing, SAY_SO_MS } from "./transport/closing.ts";
import { factsOf, type ConnectedPeer } from "./transport/connected-peer.ts";
import { FlushScheduler } from "./transport/flush-scheduler.ts";
import { GrantWatch } from "./transport/grant-watch.ts";
import { Heartbeat } from "./transport/heartbeat.ts";
import { PeerRegistry } from "./transport/peer-registry.ts";
import { Shutdown } from "./transport/shutdown.ts";
import { SseTransport } from "./transport/sse.ts";
import { WebSocketTransport } from "./transport/websocket.ts";

export type RunningServer = {
  /** Where the server listens, such as `http://127.0.0.1:8000`. */
  readonly url: string;
  readonly port: number;
  /** Reads keys and certificate again. If they cannot be used, nothing changes, and the log says why. */
  reload(): Promise<void>;
  /** Shuts down. Resolves when every client was told and closed, within the grace. */
  stop(): Promise<void>;
};

/** What is made before a server is started. */
export type ServerParts = {
  /** The keys that the configuration names, as `openCredentials` has read them. */
  credentials?: Credentials | undefined;
  /** The certificate that the configuration names, as `readTls` has read it. */
  tls?: TlsPair | undefined;
  /** Makes the engine to use, over the configured one. */
  engineOver?: ((engine: Engine) => Engine) | undefined;
  /** In place of `SAY_SO_MS`. */
  saySoMs?: number | undefined;
};

/** The least bound on what all connections that are being closed may leave unsent together, in bytes. */
const MIN_CLOSING_BYTES = 4 * 1024 * 1024;

/**
 * Builds the server's parts, connects them and listens.
 *
 * @throws if it cannot listen on the address; the error has the system's `code`
 */
export function startServer(config: Config, log: Logger, parts: ServerParts = {}): RunningServer {
  const { credentials = { keys: undefined, tokens: undefined }, engineOver = (engine: Engine) => engine, tls } = parts;
  let stopping = false;
  const self = aboutThisProcess(version);
  const node = (): NodeInfo => {
    return { ...self, port: listener.port, connections: registry.total, subscriptions: broker.stats.subscriptions };
  };
  const startedAt = performance.now();
  const clock = new Clock();
  const metrics = new Metrics();
  const throttle = new Throttle(log);
  const kernel = openKernel((cause) => {
    log.warn("the buffers of sockets and open files stay as the system has them", { cause });
  });
  const maxConnections = Math.min(config.maxConnections, kernel?.files.maxConnections ?? Number.POSITIVE_INFINITY);
  const inNextTurn = nextTurn(log);
  const broker = new Broker(config, {
    wake: (messages, subscribers) => scheduler.wake(messages, subscribers),
    flushing: () => scheduler.begin(),
    left: (topic, clientId) => engine.left(topic, clientId),
    soon: inNextTurn,
    metrics,
    observer: new BrokerLog(log, throttle, metrics),
  });
  const engine = engineOver(
    openEngine(config, { broker, clock, log, throttle, metrics, id: self.id, node, soon: inNextTurn }),
  );
  const scheduler = new FlushScheduler(() => broker.flush(), config.flushIntervalMs, log, metrics);
  const heartbeat = new Heartbeat<ConnectedPeer>(config.heartbeatIntervalMs, clock, log);
  const progress = kernel && new Progress(kernel.sockets);
  const budget = new AnswerBudget(config.unreadAnswerBytes);
  const closing = new Closing({
    log,
    nextTurn: inNextTurn,
    closeGraceMs: config.closeGraceMs,
    saySoMs: parts.saySoMs ?? SAY_SO_MS,
    closingBytes: Math.max(MIN_CLOSING_BYTES, config.historyMemoryBytes / 2),
    progress,
  });
  const registry = new PeerRegistry({
    ...config,
    broker,
    closing,
    metrics,
    log,
    maxConnections,
    nextTurn: inNextTurn,
    throttle,
  });
  const auth = new Authenticator(credentials);
  const grants = new GrantWatch({ auth, broker, peers: registry, throttle, log, now: Date.now });
  const { maxMessageBytes } = config;
  const publishLimits = new PublishLimits(config);
  const shared = { publishLimits, auth, broker, engine, registry, clock, log, throttle, metrics, maxMessageBytes };
  const sockets = new WebSocketTransport({
    ...config,
    ...shared,
    nextTurn: inNextTurn,
    budget,
    sizes: new BatchSizes(),
    heartbeats: heartbeat.enabled,
  });
  const http = {
    ...shared,
    nodeId: self.id,
    events: new SseTransport(shared),
    answers: new LargeAnswers(budget),
    mayConnect: originPolicy(config.allowedOrigins, auth.required),
    underWay: new RequestsUnderWay(config.maxHttpRequests),
    addressOf: addressBy(new ClientAddress(config.trustedProxies)),
    dashboard: config.dashboard,
    stopping: () => stopping,
    startedAt,
    closing,
    limits: limitsOf({ ...config, maxConnections }),
    maxFiles: kernel?.files.limit,
  };
  const listener = new Listener(config.port, tls, (at, pair) =>
    Bun.serve({
      hostname: config.host,
      port: at,
      development: false,
      // Said in any case: `development: false` shares a port in use (SO_REUSEPORT) instead of reporting it.
      reusePort: config.reusePort,
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      routes: routes(http),
      fetch: notFound(http),
      websocket: sockets.handler(),
      ...(pair && { tls: pair }),
    }),
  );
  grants.start();
  const stopWatchingLoop = watchLoopDelay(metrics.loopDelay);
  const stopRefreshing = auth.keepFresh((cause) => {
    log.error("the key set stays as it was: it cannot be fetched", { cause });
  });
  heartbeat.start(listener, {
    peers: registry,
    progress,
    missed: () => metrics.missedHeartbeat(),
    giveUp: (peer) => {
      throttle.warn("no sign of life from a client through two heartbeats: closing its connection", factsOf(peer));
      broker.end(peer.session, "connection_closed");
      peer.close(CLOSE.noSignOfLife);
    },
  });
  const { port } = listener;
  const shownHost = config.host.includes(":") ? `[${config.host}]` : config.host;
  const url = `${tls ? "https" : "http"}://${shownHost}:${port}`;
  log.info(`listening on ${url}`, { version, host: config.host, port, pid: process.pid });
  const { host } = config;
  const dangers = dangersOf({ host, asksForCredential: auth.required, encrypted: tls !== undefined });
  for (const danger of dangers) log.warn(danger, { host });
  const memoryBytes = process.constrainedMemory();
  for (const shortage of shortagesOf({ ...config, memoryBytes })) log.warn(shortage, { bytes: memoryBytes });
  if (maxConnections < config.maxConnections) {
    const facts = { connections: maxConnections, files: kernel?.files.limit };
    log.info("MAX_CONNECTIONS is lowered to what the limit of open files allows", facts);
  }
  guardListener(port);

  /** Sets the buffers that connections inherit from the listening socket, and starts the guard of open files. */
  function guardListener(listening: number): void {
    if (kernel === undefined) return;
    try {
      kernel.files.stop();
      const socket = kernel.sockets.listener(listening);
      kernel.sockets.bound(socket, { send: config.sendBufferBytes, receive: config.receiveBufferBytes });
      const { files } = kernel;
      kernel.files.guard(
        socket,
        (newcomers) => {
          const facts = { newcomers, files: files.limit };
          throttle.warn("connections refused: the limit of open files is reached", facts);
          metrics.refused("LIMIT_EXCEEDED", "MAX_CONNECTIONS", newcomers);
        },
        (cause) => log.error("fault while newcomers were told that no file is left", { cause }),
      );
    } catch (cause) {
      log.warn("the buffers of sockets and open files stay as the system has them", { cause });
    }
  }

  const reload = makeReload(config, log, {
    auth,
    recheck: () => grants.recheck(),
    renewTls: (pair) => {
      if (listener.renew(pair)) guardListener(port);
    },
  });

  return {
    url,
    port,
    reload,
    stop: async () => {
      stopping = true;
      await engine.close();
      heartbeat.stop();
      grants.stop();
      stopRefreshing();
      stopWatchingLoop();
      const connections = registry.size;
      const before = closing.ended;
      const deadline = performance.now() + config.shutdownGraceMs;
      broker.flush();
      await new Shutdown(broker, registry, closing, kernel?.sockets).run(config.shutdownGraceMs);
      const left = Math.max(0, deadline - performance.now());
      await listener.stop(left);
      await engine.release();
      kernel?.files.stop();
      throttle.stop();
      const ended = { told: closing.ended.told - before.told, cut_off: closing.ended.cutOff - before.cutOff };
      const uptime_sec = Math.round((performance.now() - startedAt) / 1000);
      log.info("stopped", { connections, ...ended, ...metrics.totals, uptime_sec });
    },
  };
}
