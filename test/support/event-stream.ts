import { isOurs } from "./contract.ts";
import { parseStreamFrame } from "./frames.ts";

/** An event as an `EventSource` hands it to its listeners. */
export type ReceivedEvent = { type: string; data: string; lastEventId: string };

/** Interprets an event stream as HTML §9.2.6 says, from chunks that may be cut anywhere, inside a character too. */
export class EventStreamParser {
  /** Every comment so far, without its colon. */
  readonly comments: string[] = [];
  /** The reconnection time, if the stream has set one. */
  retryMs: number | undefined;
  /** What a client that reconnects now would send as `Last-Event-ID`. */
  lastEventId = "";
  readonly #decoder = new TextDecoder("utf-8");
  #line = "";
  #endedInCr = false;
  #data = "";
  #type = "";
  #id = "";

  /** The events that `chunk` completes. What the stream ends amid is never an event. */
  push(chunk: Uint8Array): ReceivedEvent[] {
    let text = this.#decoder.decode(chunk, { stream: true });
    if (text === "") return [];
    if (this.#endedInCr && text.startsWith("\n")) text = text.slice(1);
    this.#endedInCr = text.endsWith("\r");
    const [first = "", ...more] = text.split(/\r\n|\r|\n/);
    this.#line += first;
    const events: ReceivedEvent[] = [];
    for (const next of more) {
      const event = this.#take(this.#line);
      if (event !== undefined) events.push(event);
      this.#line = next;
    }
    return events;
  }

  #take(line: string): ReceivedEvent | undefined {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) this.comments.push(line.slice(1));
    else if (colon < 0) this.#field(line, "");
    else this.#field(line.slice(0, colon), line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1));
    return undefined;
  }

  #field(name: string, value: string): void {
    if (name === "event") this.#type = value;
    else if (name === "data") this.#data += `${value}\n`;
    else if (name === "id" && !value.includes("\0")) this.#id = value;
    else if (name === "retry" && /^[0-9]+$/.test(value)) this.retryMs = Number(value);
  }

  #dispatch(): ReceivedEvent | undefined {
    const data = this.#data;
    const type = this.#type;
    this.lastEventId = this.#id;
    this.#data = "";
    this.#type = "";
    if (data === "") return undefined;
    return { type: type === "" ? "message" : type, data: data.slice(0, -1), lastEventId: this.lastEventId };
  }
}

/**
 * A client of an event stream. It hands out what it receives in order, event by event, and checks each frame of our server
 * against its schema. `await using` hangs up.
 */
export class EventStream implements AsyncDisposable {
  readonly response: Response;
  readonly parser = new EventStreamParser();
  /** Everything received and not yet taken. */
  readonly inbox: ReceivedEvent[] = [];
  readonly #abort: AbortController;
  readonly #chunks: AsyncIterator<Uint8Array>;
  /** Whether each event carries a frame. */
  readonly #isOurs: boolean;

  private constructor(response: Response, body: ReadableStream<Uint8Array>, abort: AbortController) {
    this.response = response;
    this.#chunks = body.values();
    this.#abort = abort;
    this.#isOurs = isOurs(response.url);
  }

  /** Opens the stream at `url`, and throws where the answer is none. */
  static async open(url: string, headers: Record<string, string> = {}): Promise<EventStream> {
    const abort = new AbortController();
    const response = await fetch(url, { headers, signal: abort.signal });
    const { status, body } = response;
    if (status !== 200 || body === null) throw new Error(`Not a stream but ${status}: ${await response.text()}`);
    return new EventStream(response, body, abort);
  }

  /** The next event; undefined once the stream has ended and nothing is left of it. */
  async nextOrEnd(): Promise<ReceivedEvent | undefined> {
    while (this.inbox.length === 0) {
      const chunk = await this.#chunks.next();
      if (chunk.done === true) return undefined;
      const events = this.parser.push(chunk.value);
      if (this.#isOurs) for (const event of events) parseStreamFrame(event);
      this.inbox.push(...events);
    }
    return this.inbox.shift();
  }

  /** The next event. */
  async next(): Promise<ReceivedEvent> {
    const event = await this.nextOrEnd();
    if (event === undefined) throw new Error("The stream has ended and nothing more was received");
    return event;
  }

  async take(count: number): Promise<ReceivedEvent[]> {
    const events: ReceivedEvent[] = [];
    while (events.length < count) events.push(await this.next());
    return events;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    // It may have ended already, and then complains of that.
    await this.#chunks.return?.().catch(() => {});
  }
}
