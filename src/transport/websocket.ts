import type { ServerWebSocket, WebSocketHandler } from "bun";
import type { Broker } from "../broker/broker.ts";
import type { Clock } from "../ops/clock.ts";
import type { Logger } from "../ops/logger.ts";
import type { Metrics } from "../ops/metrics.ts";
import { CLOSE, Refusal } from "../protocol/codes.ts";
import { encodePublished } from "../protocol/encode.ts";
import { decode, type ClientFrame } from "../protocol/frames.ts";
import type { RawJson } from "../protocol/json-text.ts";
import type { Clients } from "./clients.ts";
import type { Heartbeat } from "./heartbeat.ts";
import { WebSocketClient } from "./websocket-client.ts";

/** What travels with a socket: its client, from the moment it is open. */
export type SocketData = { client?: WebSocketClient };

type Socket = ServerWebSocket<SocketData>;

export type WebSocketDeps = {
  broker: Broker;
  clients: Clients;
  heartbeat: Heartbeat;
  clock: Clock;
  log: Logger;
  metrics: Metrics;
  maxMessageBytes: number;
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
    const { maxMessageBytes, heartbeat } = this.#deps;
    return {
      perMessageDeflate: false,
      maxPayloadLength: maxMessageBytes,
      backpressureLimit: 2 * maxMessageBytes + CONTROL_ROOM_BYTES,
      idleTimeout: heartbeat.enabled ? 0 : IDLE_SECONDS,
      sendPings: true,
      open: (socket) => this.#open(socket),
      message: (socket, message) => this.#message(socket, message),
      drain: (socket) => this.#drain(socket),
      ping: (socket) => {
        this.#alive(socket);
        socket.data.client?.pinged();
      },
      pong: (socket) => this.#alive(socket),
      close: (socket) => this.#close(socket),
      error: (cause) => this.#deps.log.error("fault in a WebSocket handler", { cause }),
    };
  }

  #open(socket: Socket): void {
    const { clients, heartbeat, clock } = this.#deps;
    const client = new WebSocketClient(socket, clock, clients);
    try {
      clients.checkRoom();
    } catch (cause) {
      this.#refuse(client, cause, undefined);
      client.close(CLOSE.limitExceeded);
      return;
    }
    socket.data.client = client;
    client.seen = heartbeat.beat;
    clients.add(client);
  }

  #message(socket: Socket, message: string | Buffer): void {
    const { client } = socket.data;
    if (client === undefined || !client.accepts(message.length)) return;
    client.seen = this.#deps.heartbeat.beat;
    if (typeof message !== "string") {
      this.#refuse(client, new Refusal("BAD_REQUEST", "A frame must be JSON text, not binary"), undefined);
      return;
    }
    const decoded = decode(message);
    if (!decoded.ok) {
      const { problem, topic, requestId } = decoded;
      this.#refuse(client, new Refusal("BAD_REQUEST", problem, topic === undefined ? {} : { topic }), requestId);
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

  #refuse(client: WebSocketClient, cause: unknown, requestId: RawJson | undefined): void {
    const { metrics, log } = this.#deps;
    metrics.refused(cause instanceof Refusal ? cause.code : "INTERNAL");
    if (cause instanceof Refusal) {
      const { code, message, topic } = cause;
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
    client.seen = this.#deps.heartbeat.beat;
    client.drained();
  }

  #alive(socket: Socket): void {
    if (socket.data.client !== undefined) socket.data.client.seen = this.#deps.heartbeat.beat;
  }

  #close(socket: Socket): void {
    const { client } = socket.data;
    if (client !== undefined) this.#deps.clients.gone(client);
  }
}
