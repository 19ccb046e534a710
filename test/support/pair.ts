import type { Socket } from "bun";
import { openLibc } from "../../src/kernel/libc.ts";
import { Sockets, type Address } from "../../src/kernel/sockets.ts";

/** The sockets of this process. */
export function testSockets(): Sockets {
  const libc = openLibc();
  if (libc === undefined) throw new Error("There is no C library here that can be asked");
  return new Sockets(libc);
}

/** Both ends of a TCP connection, the client's paused: what is sent to it stays with the kernel until it is told to read. */
export class Pair implements Disposable {
  readonly client: Socket;
  readonly server: Socket;
  /** The client's end. */
  readonly peer: Address;
  /** Resolves when the server's end is closed. */
  readonly closed: Promise<void>;
  /** Bytes that the client has read. */
  readonly #taken: () => number;

  private constructor(client: Socket, server: Socket, closed: Promise<void>, taken: () => number) {
    this.client = client;
    this.server = server;
    this.peer = { address: server.remoteAddress, port: client.localPort };
    this.closed = closed;
    this.#taken = taken;
  }

  static async connect(listenOn = "127.0.0.1", connectTo = "127.0.0.1"): Promise<Pair> {
    const accepted = Promise.withResolvers<Socket>();
    const closed = Promise.withResolvers<void>();
    const listener = Bun.listen({
      hostname: listenOn,
      port: 0,
      socket: { open: (socket) => accepted.resolve(socket), data: () => {}, close: () => closed.resolve() },
    });
    let taken = 0;
    const client = await Bun.connect({
      hostname: connectTo,
      port: listener.port,
      socket: { data: (_socket, { length }) => void (taken += length) },
    });
    client.pause();
    const server = await accepted.promise;
    listener.stop();
    return new Pair(client, server, closed.promise, () => taken);
  }

  get taken(): number {
    return this.#taken();
  }

  /** Has the client read until it has `bytes` more, and then no more. */
  async read(bytes: number): Promise<void> {
    const enough = this.taken + bytes;
    while (this.taken < enough) {
      this.client.resume();
      await Bun.sleep(1);
      this.client.pause();
    }
  }

  /** Sends to the client until the kernel takes nothing more. */
  fill(): void {
    const chunk = Buffer.alloc(1 << 20);
    while (this.server.write(chunk) > 0);
  }

  [Symbol.dispose](): void {
    this.client.terminate();
    this.server.terminate();
  }
}
