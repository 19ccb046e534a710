import type { Socket } from "bun";
import type { Transport } from "../../src/protocol/frames.ts";
import type { Overflow } from "../../src/protocol/frames.ts";
import { encodeClientFrame, UPGRADE } from "./websocket-frames.ts";
import { parseProblem } from "./frames.ts";
import { receivedOf, type Received } from "./received.ts";
import { StreamResponse, streamRequest } from "./sse-client.ts";
import { WebSocketReader } from "./websocket-reader.ts";

/** What a subscriber asks for. */
export type Wish = {
  topic: string;
  /** Required of a WebSocket; an event stream is given one. */
  clientId?: string;
  lastN?: number;
  since?: { epoch: string; seq: number };
  queue?: number;
  overflow?: Overflow;
  /** Stops reading with the answer. */
  stalled?: boolean;
};

/** How it came to its end: by a close frame, by the end of the response, or without a word. */
export type Ending = { how: "closed"; code: number; reason: string } | { how: "ended" } | { how: "cut" };

/** What reads the bytes of one transport. */
type Reader = { push(bytes: Buffer): void; ending(): Ending | undefined };

/**
 * A subscriber over a TCP socket of its own, so that one which stalls takes nothing off its socket, and one which is cut
 * says no goodbye. Hands out what it receives in order.
 */
export class Subscriber implements Disposable {
  readonly transport: Transport;
  /** Everything received so far. */
  readonly received: Received[] = [];
  /** The fields of the HTTP response. */
  headers = new Headers();
  readonly ended: Promise<Ending>;
  /** Resolves when the connection is closed, which an end alone need not do. */
  readonly disconnected: Promise<void>;
  readonly #socket: Socket;
  #ending: Ending | undefined;
  /** Why what was received could not be read. */
  #fault: unknown;
  #taken = 0;
  #arrived = Promise.withResolvers<void>();

  private constructor(transport: Transport, socket: Socket, ended: Promise<Ending>, disconnected: Promise<void>) {
    this.transport = transport;
    this.#socket = socket;
    this.ended = ended;
    this.disconnected = disconnected;
  }

  /** Connects, and resolves with the answer, which is the first thing received. */
  static async open(server: { port: number }, transport: Transport, wish: Wish): Promise<Subscriber> {
    const ended = Promise.withResolvers<Ending>();
    const disconnected = Promise.withResolvers<void>();
    let reader: Reader | undefined;
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port: server.port,
      socket: {
        data: (_socket, bytes) => {
          try {
            reader?.push(bytes);
            const ending = reader?.ending();
            if (ending !== undefined) subscriber.#end(ending, ended.resolve);
          } catch (cause) {
            subscriber.#fault ??= cause;
            subscriber.cut();
          }
        },
        close: () => {
          subscriber.#end({ how: "cut" }, ended.resolve);
          disconnected.resolve();
        },
      },
    });
    const subscriber = new Subscriber(transport, socket, ended.promise, disconnected.promise);
    const take = (received: Received) => {
      subscriber.received.push(received);
      if (wish.stalled === true && subscriber.received.length === 1) subscriber.stall();
      subscriber.#signal();
    };
    reader = transport === "sse" ? readStream(socket, wish, subscriber, take) : readWebSocket(socket, wish, take);
    while (subscriber.received.length === 0 && !subscriber.over) await subscriber.#arrived.promise;
    return subscriber;
  }

  get over(): boolean {
    return this.#ending !== undefined;
  }

  /** The next thing received that is no heartbeat. */
  async next(): Promise<Received> {
    while (true) {
      const received = this.received[this.#taken];
      if (received === undefined) {
        this.#check();
        if (this.over) throw new Error(`Nothing more was received: ${JSON.stringify(this.#ending)}`);
        await this.#arrived.promise;
      } else {
        this.#taken++;
        if (received.kind !== "heartbeat") return received;
      }
    }
  }

  async take(count: number): Promise<Received[]> {
    const taken: Received[] = [];
    while (taken.length < count) taken.push(await this.next());
    return taken;
  }

  /** What is received up to and including event `seq`. */
  async takeUntil(seq: number): Promise<Received[]> {
    const taken: Received[] = [];
    while (true) {
      const received = await this.next();
      taken.push(received);
      if (received.kind === "event" && received.seq >= seq) return taken;
    }
  }

  /** What is received up to the end. */
  async rest(): Promise<Received[]> {
    await this.ended;
    this.#check();
    const rest = this.received.slice(this.#taken).filter(({ kind }) => kind !== "heartbeat");
    this.#taken = this.received.length;
    return rest;
  }

  /** Waits for so many heartbeats from now on. */
  async heartbeats(count: number): Promise<void> {
    const received = () => this.received.filter(({ kind }) => kind === "heartbeat").length;
    const enough = received() + count;
    while (received() < enough && !this.over) await this.#arrived.promise;
  }

  /** Takes nothing more off the socket. */
  stall(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Resets the connection. */
  cut(): void {
    this.#socket.terminate();
  }

  [Symbol.dispose](): void {
    this.cut();
  }

  #check(): void {
    if (this.#fault !== undefined) throw new Error("What was received makes no sense", { cause: this.#fault });
  }

  #end(ending: Ending, resolve: (ending: Ending) => void): void {
    this.#ending ??= ending;
    resolve(this.#ending);
    this.#signal();
  }

  #signal(): void {
    this.#arrived.resolve();
    this.#arrived = Promise.withResolvers();
  }
}

function readWebSocket(socket: Socket, wish: Wish, take: (received: Received) => void): Reader {
  const { topic, clientId, lastN, since, queue, overflow } = wish;
  const send = (bytes: Buffer) => void socket.write(bytes);
  const reader = new WebSocketReader((frame, text) => take(receivedOf(frame, text)), send);
  socket.write(UPGRADE);
  const subscribe = { type: "subscribe", topic, client_id: clientId, last_n: lastN, since, queue, overflow };
  send(encodeClientFrame(JSON.stringify(subscribe)));
  return {
    push: (bytes) => reader.push(bytes),
    ending: () => {
      if (reader.refused) return { how: "cut" };
      return reader.close === undefined ? undefined : { how: "closed", ...reader.close };
    },
  };
}

function readStream(socket: Socket, wish: Wish, subscriber: Subscriber, take: (received: Received) => void): Reader {
  const { topic, clientId, lastN, since, queue, overflow } = wish;
  const query: Record<string, string> = {};
  for (const [name, value] of Object.entries({ client_id: clientId, last_n: lastN, queue, overflow })) {
    if (value !== undefined) query[name] = String(value);
  }
  const lastEventId = since === undefined ? undefined : `${since.epoch}:${since.seq}`;
  const reader = new StreamResponse({
    event: (frame, { data, lastEventId }) => take({ ...receivedOf(frame, data), lastEventId }),
    comment: () => take({ kind: "heartbeat" }),
  });
  socket.write(streamRequest({ topic, query, lastEventId }));
  return {
    push: (bytes) => {
      reader.response.push(bytes);
      subscriber.headers = reader.response.headers;
      if (reader.body === "" || !reader.response.complete) return;
      const { status, code, detail } = parseProblem(reader.body);
      take({ kind: "refused", code, problem: detail, status });
    },
    ending: () => (reader.response.complete ? { how: "ended" } : undefined),
  };
}
