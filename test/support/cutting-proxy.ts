import type { Socket } from "bun";

/** What is read from one socket and written to the other, at the pace of the slower of the two. */
class Pipe {
  readonly #from: Socket<Connection | undefined>;
  readonly #to: Socket<Connection | undefined>;
  readonly #end: () => void;
  #waiting: Buffer = Buffer.alloc(0);
  #over = false;

  constructor(from: Socket<Connection | undefined>, to: Socket<Connection | undefined>, end: () => void) {
    this.#from = from;
    this.#to = to;
    this.#end = end;
  }

  push(chunk: Buffer): void {
    if (this.#over) return;
    this.#waiting = this.#waiting.length === 0 ? chunk : Buffer.concat([this.#waiting, chunk]);
    this.#write();
    if (this.#waiting.length > 0) this.#from.pause();
  }

  /** The reader takes more again. */
  drain(): void {
    this.#write();
    if (this.#waiting.length > 0) return;
    if (this.#over) this.#end();
    else this.#from.resume();
  }

  /** The writer is gone: the reader gets what still waits, then the end. */
  finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.drain();
  }

  /** The reader is gone: what the writer has is read and thrown away, so that its own end is noticed. */
  drop(): void {
    this.#over = true;
    this.#waiting = Buffer.alloc(0);
    this.#from.resume();
  }

  /** A write may take a part only, or nothing (-1) where the socket is closing. */
  #write(): void {
    if (this.#waiting.length > 0) this.#waiting = this.#waiting.subarray(Math.max(this.#to.write(this.#waiting), 0));
  }
}

class Connection {
  readonly toServer: Pipe;
  readonly toClient: Pipe;

  constructor(client: Socket<Connection | undefined>, server: Socket<Connection | undefined>) {
    this.toServer = new Pipe(client, server, () => server.end());
    // Not `end`: where the client is still sending, that becomes a reset, and what it has not read yet may be lost to it.
    this.toClient = new Pipe(server, client, () => client.shutdown());
  }
}

/**
 * Passes connections on to a server, and cuts them when told to. It has a server's address properties, so a client can be
 * given it in place of the server.
 */
export class CuttingProxy implements Disposable {
  /** How many connections were refused so far. */
  refused = 0;
  readonly #server: { readonly port: number };
  readonly #clients = new Set<Socket<Connection | undefined>>();
  readonly #servers = new Set<Socket<Connection | undefined>>();
  readonly #listener = this.#listen();
  #refusing = false;
  #holding = false;
  #bytesLeft = { server: Number.POSITIVE_INFINITY, clients: Number.POSITIVE_INFINITY };
  #cutDone = Promise.withResolvers<void>();

  constructor(server: { readonly port: number }) {
    this.#server = server;
  }

  get port(): number {
    return this.#listener.port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get wsUrl(): string {
    return `ws://127.0.0.1:${this.port}/ws`;
  }

  /** Resets every present connection, on both sides at once. */
  cut(): void {
    this.#holding = false;
    for (const socket of [...this.#clients, ...this.#servers]) socket.terminate();
  }

  /** Resets every new connection as soon as it is made, until `admit`. */
  refuse(): void {
    this.#refusing = true;
  }

  admit(): void {
    this.#refusing = false;
  }

  /** Swallows everything, without a word to either side, until all connections are cut. */
  hold(): void {
    this.#holding = true;
  }

  /**
   * Cuts every connection after so many more bytes from one side, all connections together: the other side receives these
   * bytes exactly, then the end; the one they are from a reset. New connections are passed on as before.
   *
   * @returns resolves when that has happened
   */
  cutAfter(bytes: number, from: "server" | "clients" = "server"): Promise<void> {
    this.#bytesLeft[from] = bytes;
    const { promise } = this.#cutDone;
    this.#cutIfSpent(from);
    return promise;
  }

  [Symbol.dispose](): void {
    this.#listener.stop();
    this.cut();
  }

  #listen() {
    return Bun.listen<Connection | undefined>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open: (client) => this.#accept(client),
        data: ({ data }, chunk) => this.#pass(data?.toServer, "clients", chunk),
        drain: ({ data }) => data?.toClient.drain(),
        close: (client) => {
          this.#clients.delete(client);
          client.data?.toClient.drop();
          client.data?.toServer.finish();
        },
      },
    });
  }

  async #accept(client: Socket<Connection | undefined>): Promise<void> {
    if (this.#refusing) {
      this.refused++;
      client.terminate();
      return;
    }
    this.#clients.add(client);
    client.pause();
    try {
      await this.#connectToServer(client);
    } catch {
      // The server is away.
      client.terminate();
    }
  }

  #connectToServer(client: Socket<Connection | undefined>): Promise<unknown> {
    return Bun.connect<Connection | undefined>({
      hostname: "127.0.0.1",
      port: this.#server.port,
      socket: {
        open: (server) => this.#join(client, server),
        data: ({ data }, chunk) => this.#pass(data?.toClient, "server", chunk),
        drain: ({ data }) => data?.toServer.drain(),
        close: (server) => {
          this.#servers.delete(server);
          server.data?.toServer.drop();
          server.data?.toClient.finish();
        },
      },
    });
  }

  #join(client: Socket<Connection | undefined>, server: Socket<Connection | undefined>): void {
    // The client was cut while the connection to the server was being made.
    if (!this.#clients.has(client)) return server.terminate();
    this.#servers.add(server);
    client.data = server.data = new Connection(client, server);
    client.resume();
  }

  #pass(pipe: Pipe | undefined, from: "server" | "clients", chunk: Buffer): void {
    if (this.#holding) return;
    const passed = chunk.subarray(0, this.#bytesLeft[from]);
    this.#bytesLeft[from] -= passed.length;
    pipe?.push(passed);
    this.#cutIfSpent(from);
  }

  #cutIfSpent(from: "server" | "clients"): void {
    if (this.#bytesLeft[from] > 0) return;
    this.#bytesLeft[from] = Number.POSITIVE_INFINITY;
    for (const socket of from === "server" ? this.#servers : this.#clients) socket.terminate();
    this.#cutDone.resolve();
    this.#cutDone = Promise.withResolvers();
  }
}
