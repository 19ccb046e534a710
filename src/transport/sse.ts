import type { Server } from "bun";
import type { Grant } from "../auth/permissions.ts";
import type { Broker } from "../broker/broker.ts";
import type { SubscribeOptions } from "../broker/recovery.ts";
import { STREAM_HEADERS } from "../protocol/event-stream.ts";
import { traceparentIn } from "../protocol/trace.ts";
import { authorize } from "./connected-peer.ts";
import { SsePeer, StreamEncoder, type SsePeerDeps } from "./sse-peer.ts";

export type SseDeps = Omit<SsePeerDeps, "encoder"> & { broker: Broker };

/** The part of Bun's server that a stream needs. */
export type Timeouts = Pick<Server<unknown>, "timeout" | "requestIP">;

/** A request for a stream, and what its credential allows. */
export type StreamRequest = {
  request: Request;
  server: Timeouts;
  address: string | undefined;
  grant: Grant | undefined;
};

/** The transport for server-sent events (HTML §9.2). A request opens a stream, and each stream is one subscription. */
export class SseTransport {
  readonly #broker: Broker;
  readonly #peerDeps: SsePeerDeps;

  constructor({ broker, ...deps }: SseDeps) {
    this.#broker = broker;
    this.#peerDeps = { ...deps, encoder: new StreamEncoder() };
  }

  /** @throws {ProtocolError} `LIMIT_EXCEEDED` if there may be no more connections */
  checkRoom(address: string | undefined): void {
    const { registry } = this.#peerDeps;
    if (registry.full) registry.checkRoom(address);
  }

  /**
   * Takes in a client that is to subscribe.
   *
   * @throws {ProtocolError} `LIMIT_EXCEEDED` if there may be no more connections
   */
  prepare({ request, server, address, grant }: StreamRequest): SsePeer {
    const { registry } = this.#peerDeps;
    registry.checkRoom(address);
    const remote = server.requestIP(request) ?? undefined;
    const from = { address, remote, traceparent: traceparentIn(request.headers) };
    const peer = new SsePeer(this.#peerDeps, from, (self) => this.#broker.connect(self));
    authorize(peer, grant);
    return peer;
  }

  /** @throws {ProtocolError} if the connection or the subscription cannot be granted */
  open(
    { request, server, address }: StreamRequest,
    peer: SsePeer,
    topic: string,
    clientId: string,
    options: SubscribeOptions,
  ): Response {
    const { registry } = this.#peerDeps;
    // Others may have connected since it was taken in.
    registry.checkRoom(address);
    const subscribed = this.#broker.subscribe(peer.session, topic, clientId, options);
    registry.add(peer);
    peer.begin(subscribed, options.overflow);
    request.signal.addEventListener("abort", () => peer.gone("hung up"), { once: true });
    // A stream may be quiet for long. The heartbeat finds out whether the client is still there. The connection would
    // still have no time limit after the stream, which is one reason why the headers close it.
    server.timeout(request, 0);
    const stream = new ReadableStream({ type: "direct", pull: (controller) => peer.attach(controller) });
    return new Response(stream, { headers: STREAM_HEADERS });
  }
}
