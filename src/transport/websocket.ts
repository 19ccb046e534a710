import type { ServerWebSocket, WebSocketHandler } from "bun";
import { may, type Grant } from "../auth/permissions.ts";
import type { Answered } from "../engine/engine.ts";
import { noteRefusal } from "../ops/refusals.ts";
import { CLOSE, forbidden, limitExceeded, ProtocolError } from "../protocol/codes.ts";
import { BINARY_FRAME, decode, type Decoded, type Request } from "../protocol/decode.ts";
import { encodeAnswer, encodePublished } from "../protocol/encode.ts";
import type { Answer } from "../protocol/frames.ts";
import type { RawJson } from "../protocol/raw-json.ts";
import { traceFacts } from "../protocol/trace.ts";
import { authorize, factsOf } from "./connected-peer.ts";
import { Intake, type Frame } from "./intake.ts";
import type { Answerer } from "./request-order.ts";
import type { Handshake } from "./socket.ts";
import type { WebSocketDeps } from "./websocket-deps.ts";
import { WebSocketPeer } from "./websocket-peer.ts";

/** The data of a socket: what its handshake said, and the peer once the socket is open. */
export type SocketData = Handshake & { grant: Grant | undefined; peer: WebSocketPeer | undefined };

type Socket = ServerWebSocket<SocketData>;

/** Room for what waits unsent on one socket besides its largest events, so that a control frame always fits. */
const CONTROL_ROOM_BYTES = 16 * 1024 * 1024;

/** After how many seconds a silent socket is given up, if there is no heartbeat. */
const IDLE_SECONDS = 120;

/** The WebSocket transport. It reads frames, asks the engine and the broker, and answers. */
export class WebSocketTransport {
  readonly #deps: WebSocketDeps;
  readonly #intake: Intake<WebSocketPeer>;

  constructor(deps: WebSocketDeps) {
    this.#deps = deps;
    this.#intake = new Intake(
      {
        handle: (peer, frame) => this.#read(peer, frame),
        failed: (cause) => deps.log.error("fault while frames were handled", { cause }),
        cut: (peer) => {
          this.#noteTooMuch(peer, "a client that does not read its answers");
          peer.cut();
        },
        dropped: (peer) => this.#noteTooMuch(peer, "what a client had sent that is gone"),
      },
      deps.waitingFrameBytes,
    );
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
      ping: (socket) => socket.data.peer?.pinged(),
      pong: (socket, payload) => socket.data.peer?.ponged(payload.toString()),
      close: (socket, code, reason) => this.#close(socket, code, reason),
      error: (cause) => this.#deps.log.error("fault in a WebSocket handler", { cause }),
    };
  }

  #open(socket: Socket): void {
    const { broker, registry, metrics, auth, authTimeoutMs } = this.#deps;
    const peer = new WebSocketPeer(socket, this.#deps, (self) => broker.connect(self));
    try {
      registry.checkRoom(peer.address);
    } catch (cause) {
      const { code, reason } = CLOSE.limitExceeded;
      this.#refuse(peer, peer, cause, undefined, { what: "a connection" });
      metrics.opened("websocket");
      metrics.closed({ side: "server", cause: reason });
      // The kernel takes these two frames at once, and delivers them whatever happens to the socket.
      socket.close(code, reason);
      return;
    }
    socket.data.peer = peer;
    registry.add(peer);
    authorize(peer, socket.data.grant);
    if (auth.required && peer.grant === undefined) this.#expectCredential(peer, authTimeoutMs);
  }

  #message(socket: Socket, message: string | Buffer): void {
    const { peer } = socket.data;
    if (peer === undefined || !peer.open) return;
    peer.unanswered = 0;
    this.#deps.metrics.received.websocket += Buffer.byteLength(message);
    this.#intake.take(peer, message);
  }

  #read(peer: WebSocketPeer, message: Frame): void {
    const decoded = typeof message === "string" ? decode(message) : BINARY_FRAME;
    if (peer.underWay === 0) {
      const pending = this.#handle(peer, decoded, peer);
      if (pending === undefined) return;
      peer.requests.track(pending, isPublish(decoded));
    } else peer.requests.add((to) => this.#handle(peer, decoded, to), isPublish(decoded));
    peer.limitUnderWay();
  }

  /**
   * Does what a frame asks, and answers it. Neither throws nor rejects.
   *
   * @param to where the answers go
   */
  #handle(peer: WebSocketPeer, decoded: Decoded, to: Answerer): Promise<void> | undefined {
    const { requestId } = decoded;
    try {
      if (!decoded.ok) throw unreadable(decoded);
      const pending = this.#dispatch(peer, decoded.request, requestId, to);
      if (!(pending instanceof Promise)) return undefined;
      return pending.catch((cause: unknown) => this.#refuse(peer, to, cause, requestId, asked(decoded)));
    } catch (cause) {
      this.#refuse(peer, to, cause, requestId, asked(decoded));
      return undefined;
    }
  }

  #dispatch(peer: WebSocketPeer, request: Request, requestId: RawJson | undefined, to: Answerer): Answered<void> {
    const { broker, engine } = this.#deps;
    if (request.type === "auth") return this.#authenticate(peer, request.token, requestId, to);
    this.#checkAccess(peer, request);
    switch (request.type) {
      case "publish":
        this.#deps.publishLimits.check(peer.session, request.messages);
        return engine.publish(request.topic, request, (published) => {
          if (request.ack) to.answerText(encodePublished(published, request.batch, requestId));
        });
      case "subscribe":
        return engine.subscribe(request.topic, peer.session.claim(request.client_id), {
          check: () => broker.check(peer.session, request.topic, request.client_id, request),
          begin: () => {
            // The client may have gone while the engine was asked.
            if (!peer.open) return;
            this.#checkAccess(peer, request);
            const subscribed = broker.subscribe(peer.session, request.topic, request.client_id, request);
            this.#answer(to, { type: "ack", status: "ok", ...subscribed }, requestId);
          },
        });
      case "unsubscribe":
        return after(engine.findTopic(request.topic), () => {
          broker.unsubscribe(peer.session, request.topic, request.client_id);
          this.#answer(to, { type: "ack", topic: request.topic, status: "ok" }, requestId);
        });
      case "ping":
        return this.#answer(to, { type: "pong" }, requestId);
    }
  }

  /** Checks that a peer may ask this. */
  #checkAccess({ grant }: WebSocketPeer, request: Request): void {
    if (this.#deps.auth.required && grant === undefined) {
      throw new ProtocolError("UNAUTHORIZED", `Send {"type":"auth","token":...} first`);
    }
    if (request.type === "ping" || request.type === "auth") return;
    const action = request.type === "publish" ? "publish" : "subscribe";
    if (!may(grant, action, request.topic)) throw forbidden(action, request.topic);
  }

  /** Has the peer go by a new credential, and ends what that does not allow. */
  async #authenticate(peer: WebSocketPeer, token: string, requestId: RawJson | undefined, to: Answerer): Promise<void> {
    const { auth, broker } = this.#deps;
    if (!auth.required) return this.#answer(to, { type: "ack", status: "ok" }, requestId);
    const grant = await auth.check({ text: token, from: "frame" });
    if (!peer.open) return;
    if (peer.grant !== undefined && peer.grant.owner !== grant.owner) {
      throw new ProtocolError("FORBIDDEN", "This connection belongs to another credential; open one of its own");
    }
    authorize(peer, grant);
    this.#deps.registry.removeStranger(peer);
    const revoked = broker.revoke(peer.session, (topic) => may(grant, "subscribe", topic));
    const expires_at = grant.expiresAt === undefined ? undefined : new Date(grant.expiresAt).toISOString();
    this.#answer(to, { type: "ack", status: "ok", expires_at, ...(revoked.length > 0 && { revoked }) }, requestId);
  }

  /** Closes the connection of a client that shows no credential in time. */
  #expectCredential(peer: WebSocketPeer, timeoutMs: number): void {
    const giveUp = () => {
      if (!peer.open || peer.grant !== undefined) return;
      const error = new ProtocolError("UNAUTHORIZED", "No credential was shown within AUTH_TIMEOUT_MS");
      this.#refuse(peer, peer, error, undefined);
      peer.close(CLOSE.unauthorized);
    };
    const timer = setTimeout(() => this.#deps.nextTurn(giveUp), timeoutMs);
    timer.unref();
    this.#deps.registry.addStranger(peer, timer);
  }

  #answer(to: Answerer, answer: Answer, requestId: RawJson | undefined): void {
    to.answerText(encodeAnswer(answer, requestId, this.#deps.clock.iso()));
  }

  #refuse(peer: WebSocketPeer, to: Answerer, cause: unknown, requestId: RawJson | undefined, of: Asked = FRAME): void {
    const { metrics, log } = this.#deps;
    if (cause instanceof ProtocolError) {
      const { code, message, topic } = cause;
      noteRefusal(this.#deps, cause, of.what, { ...factsOf(peer), ...traceFacts(of.traceparent) });
      this.#answer(to, { type: "error", topic, error: { code, message } }, requestId);
      return;
    }
    metrics.refused("INTERNAL");
    log.error("cannot handle a frame", { ...traceFacts(of.traceparent), cause });
    const error = { code: "INTERNAL", message: "Internal error; the server's log has its cause" } as const;
    this.#answer(to, { type: "error", error }, requestId);
  }

  #noteTooMuch(peer: WebSocketPeer, what: string): void {
    const error = limitExceeded("WAITING_FRAME_BYTES", this.#deps.waitingFrameBytes);
    noteRefusal(this.#deps, error, what, factsOf(peer));
  }

  #drain(socket: Socket): void {
    const { peer } = socket.data;
    if (peer === undefined) return;
    peer.unanswered = 0;
    peer.drained();
  }

  #close(socket: Socket, code: number, reason: string): void {
    socket.data.peer?.gone(code, reason);
  }
}

/** Runs `work` once `pending` is there: at once if it is no promise. */
function after(pending: Answered<void>, work: () => void): Answered<void> {
  return pending instanceof Promise ? pending.then(work) : work();
}

/** What was asked for, for the log. */
type Asked = { what: string; traceparent?: string | undefined };
const FRAME: Asked = { what: "a frame" };

function asked(decoded: Decoded): Asked {
  if (!decoded.ok || decoded.request.type !== "publish") return FRAME;
  return { ...FRAME, traceparent: decoded.request.traceparent };
}

function isPublish(decoded: Decoded): boolean {
  return decoded.ok && decoded.request.type === "publish";
}

function unreadable({ problem, topic }: Decoded & { ok: false }): ProtocolError {
  return new ProtocolError("BAD_REQUEST", problem, topic === undefined ? {} : { topic });
}
