import type { Server } from "bun";
import type { Asked } from "../broker/asked.ts";
import type { Broker } from "../broker/broker.ts";
import type { Clock } from "../ops/clock.ts";
import type { Logger } from "../ops/logger.ts";
import { STREAM_HEADERS } from "../protocol/event-stream.ts";
import type { Clients } from "./clients.ts";
import { SseClient } from "./sse-client.ts";

export type SseDeps = { broker: Broker; clients: Clients; clock: Clock; log: Logger };

/** What of Bun's server a stream needs. */
export type Timeouts = Pick<Server<unknown>, "timeout" | "requestIP">;

/** The side of server-sent events (HTML §9.2): a request opens a stream, which is a subscription. */
export class SseTransport {
  readonly #deps: SseDeps;

  constructor(deps: SseDeps) {
    this.#deps = deps;
  }

  /** @throws {ProtocolError} where there may be no more connections */
  checkRoom(): void {
    const { clients } = this.#deps;
    if (clients.full) clients.checkRoom();
  }

  /** @throws {ProtocolError} where the subscription cannot be granted */
  open(request: Request, server: Timeouts, topic: string, clientId: string, asked: Asked): Response {
    const { broker, clients } = this.#deps;
    clients.checkRoom();
    const client = new SseClient(this.#deps, server.requestIP(request) ?? undefined);
    const subscribed = broker.subscribe(client.connection, topic, clientId, asked);
    clients.add(client);
    client.begin(subscribed, asked.overflow);
    request.signal.addEventListener("abort", () => client.gone("hung up"), { once: true });
    // A stream may be quiet for long; whether anybody is there is for the heartbeat to find out. The connection would
    // stay without a time limit after the stream, which is one reason why the headers close it.
    server.timeout(request, 0);
    const stream = new ReadableStream({ type: "direct", pull: (controller) => client.attach(controller) });
    return new Response(stream, { headers: STREAM_HEADERS });
  }
}
