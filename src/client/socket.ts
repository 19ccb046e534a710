/** What of a WebSocket this library uses. That of a browser, Bun, Node and of the package `ws` have it. */
export interface Socket {
  readonly readyState: number;
  send(text: string): void;
  close(code?: number, reason?: string): void;
  /** Drops the connection. A browser has no such thing. */
  terminate?(): void;
  addEventListener(type: "open" | "error", listener: () => void): void;
  addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
  addEventListener(type: "close", listener: (event: { code: number; reason: string }) => void): void;
}

/** The `readyState` of a socket that can send. */
export const OPEN = 1;

/** The class of WebSockets that this runtime has. @throws {TypeError} if it has none */
export function ownSocket(): new (url: string) => Socket {
  if (typeof WebSocket === "undefined") {
    throw new TypeError("There is no WebSocket here: start Node 20 with --experimental-websocket, or pass a class");
  }
  return WebSocket;
}

/** How long the end of a connection may take after it was closed here, in milliseconds. */
const GOODBYE_MS = 2000;

/** Says goodbye, and waits for the answer for a while. */
export function goodbye(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(() => {
      drop(socket);
      done();
    }, GOODBYE_MS);
    socket.addEventListener("close", done);
    socket.close(1000);
  });
}

/** Ends a connection that may be dead, without waiting. */
export function drop(socket: Socket): void {
  if (socket.terminate === undefined) socket.close();
  else socket.terminate();
}
