import { parseFrame, type Frame } from "./frames.ts";

export const ID = "a1b2c3d4-e5f6-7890-1234-567890abcdef";

/** A WebSocket client that hands out what it receives in order, frame by frame. */
export class Client implements AsyncDisposable {
  readonly socket: WebSocket;
  /** Everything received and not yet taken, as text. */
  readonly inbox: string[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  #arrived = Promise.withResolvers<void>();
  #over = false;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.addEventListener("message", ({ data }) => {
      this.inbox.push(String(data));
      this.#signal();
    });
    this.closed = new Promise((resolve) => {
      socket.addEventListener("close", ({ code, reason }) => {
        this.#over = true;
        this.#signal();
        resolve({ code, reason });
      });
    });
  }

  static async connect(server: { wsUrl: string }, headers: Record<string, string> = {}): Promise<Client> {
    const client = new Client(new WebSocket(server.wsUrl, { headers }));
    await new Promise((resolve, reject) => {
      client.socket.addEventListener("open", resolve);
      client.socket.addEventListener("error", () => reject(new Error("Cannot connect")));
    });
    return client;
  }

  /** Sends an object as JSON, or text as it is. */
  send(frame: object | string): void {
    this.socket.send(typeof frame === "string" ? frame : JSON.stringify(frame));
  }

  /** The next frame's text. */
  async nextText(): Promise<string> {
    while (true) {
      const text = this.inbox.shift();
      if (text !== undefined) return text;
      if (this.#over) throw new Error("The connection is closed and nothing more was received");
      await this.#arrived.promise;
    }
  }

  /** The next frame. */
  async next(): Promise<Frame> {
    return parseFrame(await this.nextText());
  }

  async take(count: number): Promise<Frame[]> {
    const frames: Frame[] = [];
    while (frames.length < count) frames.push(await this.next());
    return frames;
  }

  /** Sends a request and returns the next frame. */
  async ask(frame: object | string): Promise<Frame> {
    this.send(frame);
    return this.next();
  }

  async subscribe(topic: string, clientId: string, lastN?: number): Promise<Frame> {
    return this.#expectAck({ type: "subscribe", topic, client_id: clientId, last_n: lastN });
  }

  async publish(topic: string, payload: unknown): Promise<Frame> {
    return this.#expectAck({ type: "publish", topic, message: { id: ID, payload } });
  }

  /** Resolves once everything sent to this client so far was received: the answer to a ping comes after it. */
  async settle(): Promise<Frame[]> {
    this.send({ type: "ping", request_id: "settle" });
    const before: Frame[] = [];
    for (let frame = await this.next(); frame.request_id !== "settle"; frame = await this.next()) before.push(frame);
    return before;
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.socket.readyState !== WebSocket.CLOSED) await this.close();
  }

  #signal(): void {
    this.#arrived.resolve();
    this.#arrived = Promise.withResolvers();
  }

  async #expectAck(frame: object): Promise<Frame> {
    const answer = await this.ask(frame);
    if (answer.type !== "ack") throw new Error(`Not acknowledged: ${JSON.stringify(answer)}`);
    return answer;
  }
}
