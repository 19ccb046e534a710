import type { ServerWebSocket, WebSocketHandler } from "bun";
import type { Broker } from "../broker/broker.ts";
import type { Clock } from "../ops/clock.ts";
import type { Logger } from "../ops/logger.ts";
import type { Metrics } from "../ops/metrics.ts";
import type { Throttle } from "../ops/throttle.ts";
import { CLOSE, ProtocolError } from "../protocol/codes.ts";
import { encodePublished } from "../protocol/encode.ts";
import { decode, type ClientFrame } from "../protocol/frames.ts";
import type { RawJson } from "../protocol/json-text.ts";
import { factsOf, type Clients } from "./clients.ts";
import { WebSocketClient } from "./websocket-client.ts";

/** What travels with a socket: the client's port, and the client from the moment it is open. */
export type SocketData = { port: number | undefined; client: WebSocketClient | undefined };

type Socket = ServerWebSocket<SocketData>;

export type WebSocketDeps = {
  broker: Broker;
  clients: Clients;
  clock: Clock;
  log: Logger;
  throttle: Throttle;
  metrics: Metrics;
  maxMessageBytes: number;
  /** Whether a heartbeat looks for those that are gone. */
  heartbeats: boolean;
};

/** Room for what waits unsent on one socket beside its largest event, so that a control frame always fits. */
const CONTROL_ROOM_BYTES = 16 * 1024 * 1024;

/** Seconds until a silent socket is given up where no heartbeat looks after it. */
const IDLE_SECONDS = 120;

/** The WebSocket side: reads frames, has the broker do what they ask, answers. */
export class WebSocketTransport {
  readonly #deps: WebSocketDeps;

  constructor(deps: WebSocketDeps) {
    this.#deps = deps;
  }

  handler(): WebSocketHandler<SocketData> {
    const { maxMessageBytes, heartbeats } = this.#deps;
    return {
      perMessageDeflate: false,
      maxPayloadLength: maxMessageBytes,
      backpressureLimit: 2 * maxMessageBytes + CONTROL_ROOM_BYTES,
      idleTimeout: heartbeats ? 0 : IDLE_SECONDS,
      sendPings: true,
      open: (socket) => this.#open(socket),
      message: (socket, message) => this.#message(socket, message),
      drain: (socket) => this.#drain(socket),
      ping: (socket) => socket.data.client?.pinged(),
      pong: (socket, payload) => socket.data.client?.ponged(payload.toString()),
      close: (socket, code, reason) => this.#close(socket, code, reason),
      error: (cause) => this.#deps.log.error("fault in a WebSocket handler", { cause }),
    };
  }

  #open(socket: Socket): void {
    const { clients, clock, metrics } = this.#deps;
    const client = new WebSocketClient(socket, clock, clients);
    try {
      clients.checkRoom();
    } catch (cause) {
      const { code, reason } = CLOSE.limitExceeded;
      this.#refuse(client, cause, undefined, "a connection");
      metrics.closed(CLOSE.limitExceeded);
      // The kernel takes these two frames at once, and delivers them whatever becomes of the socket.
      socket.close(code, reason);
      return;
    }
    socket.data.client = client;
    clients.add(client);
  }

  #message(socket: Socket, message: string | Buffer): void {
    const { client } = socket.data;
    if (client === undefined || !client.open) return;
    client.unanswered = 0;
    if (typeof message !== "string") {
      this.#refuse(client, new ProtocolError("BAD_REQUEST", "A frame must be JSON text, not binary"), undefined);
      return;
    }
    const decoded = decode(message);
    if (!decoded.ok) {
      const { problem, topic, requestId } = decoded;
      this.#refuse(client, new ProtocolError("BAD_REQUEST", problem, topic === undefined ? {} : { topic }), requestId);
      return;
    }
    try {
      this.#dispatch(client, decoded.frame, decoded.requestId);
    } catch (cause) {
      this.#refuse(client, cause, decoded.requestId);
    }
  }

  #dispatch(client: WebSocketClient, frame: ClientFrame, requestId: RawJson | undefined): void {
    const { broker, clock } = this.#deps;
    const { connection } = client;
    switch (frame.type) {
      case "publish": {
        const ts = clock.iso();
        // Before the first of its events can be sent, which a long batch is while it is being published.
        broker.publish(frame.topic, frame.messages, ts, (published) => {
          if (frame.ack) client.answerText(encodePublished(published, frame.batch, requestId, ts));
        });
        break;
      }
      case "subscribe": {
        const subscribed = broker.subscribe(connection, frame.topic, frame.client_id, frame);
        client.answer({ type: "ack", status: "ok", ...subscribed }, requestId);
        break;
      }
      case "unsubscribe":
        broker.unsubscribe(connection, frame.topic, frame.client_id);
        client.answer({ type: "ack", topic: frame.topic, status: "ok" }, requestId);
        break;
      case "ping":
        client.answer({ type: "pong" }, requestId);
        break;
    }
  }

  #refuse(client: WebSocketClient, cause: unknown, requestId: RawJson | undefined, what = "a frame"): void {
    const { metrics, log, throttle } = this.#deps;
    metrics.refused(cause instanceof ProtocolError ? cause.code : "INTERNAL");
    if (cause instanceof ProtocolError) {
      const { code, message, topic } = cause;
      if (code === "LIMIT_EXCEEDED")
        throttle.warn(`limit reached: ${what} was refused`, { ...factsOf(client), limit: message });
      client.answer({ type: "error", topic, error: { code, message } }, requestId);
      return;
    }
    log.error("cannot handle a frame", { cause });
    const error = { code: "INTERNAL", message: "Internal error; the server's log has its cause" } as const;
    client.answer({ type: "error", error }, requestId);
  }

  #drain(socket: Socket): void {
    const { client } = socket.data;
    if (client === undefined) return;
    client.unanswered = 0;
    client.drained();
  }

  #close(socket: Socket, code: number, reason: string): void {
    const { client } = socket.data;
    client?.gone(`${code}${reason === "" ? "" : ` ${reason}`}`);
  }
}
