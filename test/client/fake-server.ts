import type { Server, ServerWebSocket } from "bun";

/** A frame of the client, as far as a test looks at it. */
export type Asked = {
  type: string;
  request_id: string | number;
  topic?: string;
  client_id?: string;
  since?: { epoch: string; seq: number };
  message?: { id: string; payload: unknown };
};

/** How `GET /topics/{name}/messages` is answered. */
type History = (url: URL) => Response;

const TS = "2026-01-01T00:00:00.000Z";

/** A server that answers what its test says. Its test takes the frames that come, one after the other. */
export class FakeServer implements AsyncDisposable {
  readonly #server: Server<undefined>;
  readonly #inbox: Asked[] = [];
  #socket: ServerWebSocket<undefined> | undefined;
  #arrived: (() => void) | undefined;

  constructor(history: History = () => new Response("no", { status: 404 })) {
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request, self) => {
        const url = new URL(request.url);
        if (url.pathname !== "/ws") return history(url);
        return self.upgrade(request) ? undefined : new Response("no", { status: 426 });
      },
      websocket: {
        open: (socket) => void (this.#socket = socket),
        message: (_, text) => {
          const frame: Asked = JSON.parse(String(text));
          this.#inbox.push(frame);
          this.#arrived?.();
        },
      },
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  /** How many frames have come and are not taken. */
  get waiting(): number {
    return this.#inbox.length;
  }

  /** The next frame that comes, which must be of this type. */
  async next(type: string): Promise<Asked> {
    for (;;) {
      const frame = this.#inbox.shift();
      if (frame !== undefined && frame.type !== type) throw new Error(`Not a ${type}: ${JSON.stringify(frame)}`);
      if (frame !== undefined) return frame;
      await new Promise<void>((resolve) => (this.#arrived = resolve));
    }
  }

  async take(type: string, count: number): Promise<Asked[]> {
    const frames: Asked[] = [];
    while (frames.length < count) frames.push(await this.next(type));
    return frames;
  }

  send(frame: object): void {
    this.#socket?.send(JSON.stringify({ ...frame, ts: TS }));
  }

  ack({ request_id, topic }: Asked, fields: object = {}): void {
    this.send({ type: "ack", request_id, topic, status: "ok", ...fields });
  }

  refuse({ request_id }: Asked, code: string): void {
    this.send({ type: "error", request_id, error: { code, message: `${code} for now` } });
  }

  event(topic: string, seq: number): void {
    this.send({ type: "event", topic, seq, message: { id: "a1b2c3d4-e5f6-7890-1234-567890abcdef", payload: seq } });
  }

  /** Cuts the connection off. The client makes another. */
  cut(): void {
    this.#socket?.terminate();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(true);
  }
}
