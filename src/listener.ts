import type { Server } from "bun";
import type { TlsPair } from "./tls.ts";
import type { SocketData } from "./transport/websocket.ts";

type BunServer = Server<SocketData>;

/**
 * What listens on the port. A server of Bun's keeps the certificate that it began with, so another takes its place when the
 * certificate is renewed. Connections stay with the server that accepted them.
 */
export class Listener {
  /** The one that it got, where 0 was asked for. */
  readonly port: number;
  readonly #serve: (port: number, tls: TlsPair | undefined) => BunServer;
  #tls: TlsPair | undefined;
  #current: BunServer;
  /** Those that accept nothing more, and still have connections. */
  readonly #former = new Set<BunServer>();

  /**
   * @param serve starts a server of Bun's on a port
   * @throws if it cannot listen there, with the system's `code`
   */
  constructor(port: number, tls: TlsPair | undefined, serve: (port: number, tls: TlsPair | undefined) => BunServer) {
    this.#serve = serve;
    this.#tls = tls;
    this.#current = serve(port, tls);
    this.port = this.#current.port ?? port;
  }

  /** Sends to all who are subscribed to a topic of Bun's, whichever server they are connected to. */
  publish(topic: string, text: string, compress: boolean): number {
    for (const server of this.#former) server.publish(topic, text, compress);
    return this.#current.publish(topic, text, compress);
  }

  /**
   * Has new connections accepted by a new server on the same port. Returns false if the certificate is the same.
   *
   * @throws if it cannot; then one with the former certificate accepts them
   */
  renew(tls: TlsPair): boolean {
    if (Bun.deepEquals(tls, this.#tls)) return false;
    const former = this.#current;
    this.#former.add(former);
    // It resolves when the last of its connections has ended.
    void former.stop().then(() => this.#former.delete(former));
    try {
      this.#current = this.#serve(this.port, tls);
      this.#tls = tls;
      return true;
    } catch (cause) {
      this.#current = this.#serve(this.port, this.#tls);
      throw cause;
    }
  }

  /** Accepts nothing more. Cuts what is still connected after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    const servers = [this.#current, ...this.#former];
    await Promise.race([Promise.all(servers.map((server) => server.stop())), Bun.sleep(graceMs)]);
    await Promise.all(servers.map((server) => server.stop(true)));
  }
}
