import type { Server } from "bun";
import type { SocketData } from "./transport/websocket.ts";

type BunServer = Server<SocketData>;

/**
 * What listens on the port. A server of Bun's keeps the certificate that it began with, so another takes its place when the
 * certificate is renewed. Connections stay with the server that accepted them.
 */
export class Listener {
  /** The one that it got, where 0 was asked for. */
  readonly port: number;
  readonly #serve: (port: number) => BunServer;
  #current: BunServer;
  /** Those that accept nothing more, and still have connections. */
  readonly #former = new Set<BunServer>();

  /**
   * @param serve starts a server of Bun's on a port
   * @throws if it cannot listen there, with the system's `code`
   */
  constructor(port: number, serve: (port: number) => BunServer) {
    this.#serve = serve;
    this.#current = serve(port);
    this.port = this.#current.port ?? port;
  }

  /** Sends to all who are subscribed to a topic of Bun's, whichever server they are connected to. */
  publish(topic: string, text: string, compress: boolean): number {
    for (const server of this.#former) server.publish(topic, text, compress);
    return this.#current.publish(topic, text, compress);
  }

  /** Has new connections accepted by a new server on the same port. */
  renew(): void {
    const former = this.#current;
    this.#former.add(former);
    // It resolves when the last of its connections has ended.
    void former.stop().then(() => this.#former.delete(former));
    this.#current = this.#serve(this.port);
  }

  /** Accepts nothing more. Cuts what is still connected after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    const servers = [this.#current, ...this.#former];
    await Promise.race([Promise.all(servers.map((server) => server.stop())), Bun.sleep(graceMs)]);
    await Promise.all(servers.map((server) => server.stop(true)));
  }
}
