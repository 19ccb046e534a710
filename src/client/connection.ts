import type { ServerFrame } from "../protocol/frames.ts";
import { Authentication, type TokenSource, type Verdict } from "./authentication.ts";
import { Backoff, type BackoffOptions } from "./backoff.ts";
import { PubSubError } from "./errors.ts";
import { readFrame } from "./read.ts";
import { drop, goodbye, OPEN, type Socket } from "./socket.ts";
import { Timers } from "./timers.ts";

/** Where a connection is. `closed` is for good. */
export type ConnectionState = "connecting" | "connected" | "waiting" | "closed";

export type ConnectionOptions = {
  url: string;
  token: TokenSource | undefined;
  /** How long the server may be silent before it is asked for a sign of life, and then until that comes. */
  silenceMs: number;
  /** How long a connection may take to be made. */
  connectMs: number;
  backoff: BackoffOptions | undefined;
  openSocket(url: string): Socket;
};

export type ConnectionPorts = {
  /** A connection is there. What was asked for on an earlier one is to be asked for again. */
  opened(): void;
  frame(frame: ServerFrame, text: string): void;
  /** The connection is lost; `code` is how it was closed (RFC 6455 §7.4). Another follows, or `closed`. */
  lost(code: number): void;
  stateChanged(state: ConnectionState, cause: PubSubError | undefined): void;
  failed(cause: unknown): void;
};

/** The server closes a connection with it for want of a credential. */
const UNAUTHORIZED = 4401;
const ABNORMAL = 1006;

/** How long a connection must hold for the next loss to be taken for the first, in milliseconds. */
const STEADY_MS = 5000;

/** One connection to the server, made again for as long as it is not closed. */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #ports: ConnectionPorts;
  readonly #authentication: Authentication;
  readonly #backoff: Backoff;
  readonly #timers = new Timers<"retry" | "connect" | "silence" | "renew" | "steady">();
  #socket: Socket | undefined;
  #state: ConnectionState = "connecting";
  #retryAfterMs: number | undefined;
  #isSilent = false;

  constructor(options: ConnectionOptions, ports: ConnectionPorts) {
    this.#options = options;
    this.#ports = ports;
    this.#authentication = new Authentication(options.token);
    this.#backoff = new Backoff(options.backoff);
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** The credential to show over HTTP. */
  get token(): string | undefined {
    return this.#authentication.token;
  }

  start(): void {
    void this.#connect();
  }

  /** Sends a frame. Without a connection it is dropped: `opened` says when there is one. */
  send(text: string): void {
    if (this.#state === "connected" && this.#socket?.readyState === OPEN) this.#socket.send(text);
  }

  /** Closes for good. Resolves once the socket is closed. */
  async close(cause?: PubSubError): Promise<void> {
    if (this.#state === "closed") return;
    const socket = this.#letGo();
    this.#change("closed", cause);
    if (socket !== undefined) await goodbye(socket);
  }

  async #connect(): Promise<void> {
    this.#change("connecting");
    try {
      await this.#authentication.fetch();
    } catch (cause) {
      return this.#retry(asError(cause));
    }
    if (this.#state !== "connecting") return;
    const { url, connectMs } = this.#options;
    let socket: Socket;
    try {
      socket = this.#options.openSocket(url);
    } catch (cause) {
      return void this.close(asError(cause));
    }
    this.#socket = socket;
    this.#timers.set("connect", connectMs, () => this.#giveUp(socket, "No connection was made in time"));
    const current = (work: () => unknown) => {
      if (this.#socket === socket) work();
    };
    socket.addEventListener("open", () => current(() => this.#opened(socket)));
    // A close follows and says more, but not in Node 20 if the connection cannot be made.
    socket.addEventListener("error", () => {
      current(() => this.#state === "connecting" && this.#giveUp(socket, "The connection cannot be made"));
    });
    socket.addEventListener("message", ({ data }) => current(() => this.#received(String(data))));
    socket.addEventListener("close", ({ code, reason }) => {
      current(() => this.#closed(code, reason === "" ? "The connection was lost" : reason));
    });
  }

  #opened(socket: Socket): void {
    const frame = this.#authentication.frame();
    if (frame === undefined) this.#ready();
    else socket.send(frame);
  }

  #ready(): void {
    this.#timers.clear("connect");
    this.#timers.set("steady", STEADY_MS, () => this.#backoff.reset());
    this.#isSilent = false;
    this.#watch(false);
    this.#change("connected");
    this.#ports.opened();
  }

  #received(text: string): void {
    this.#isSilent = false;
    const frame = readFrame(text);
    if (frame === undefined) {
      return this.#ports.failed(new PubSubError("PROTOCOL", `Not a frame of the protocol: ${text.slice(0, 100)}`));
    }
    if (frame.type === "info" && frame.msg === "server_shutdown") this.#retryAfterMs = frame.retry_after_ms;
    const verdict = this.#authentication.verdict(frame);
    if (verdict === undefined) this.#ports.frame(frame, text);
    else this.#judged(verdict);
  }

  #judged(verdict: Verdict): void {
    const isFirst = this.#state === "connecting";
    if (verdict.ok) {
      const { renewAfterMs } = verdict;
      if (renewAfterMs !== undefined) this.#timers.set("renew", renewAfterMs, () => void this.#renew());
      if (isFirst) this.#ready();
    } else if (!isFirst) this.#ports.failed(verdict.problem);
    else {
      const socket = this.#letGo();
      if (socket !== undefined) void goodbye(socket);
      if (verdict.mayChange) this.#retry(verdict.problem);
      else void this.close(verdict.problem);
    }
  }

  /** Shows another token in time, on the same connection. */
  async #renew(): Promise<void> {
    const socket = this.#socket;
    try {
      await this.#authentication.fetch();
      if (socket === undefined || this.#socket !== socket) return;
      const frame = this.#authentication.frame();
      if (frame !== undefined) socket.send(frame);
    } catch (cause) {
      if (socket === undefined || this.#socket !== socket) return;
      this.#ports.failed(cause);
      this.#timers.set("renew", this.#backoff.next(), () => void this.#renew());
    }
  }

  #closed(code: number, reason: string): void {
    const wasConnected = this.#state === "connected";
    this.#letGo();
    if (wasConnected) this.#ports.lost(code);
    const isRefused = code === UNAUTHORIZED;
    const cause = new PubSubError(isRefused ? "UNAUTHORIZED" : "DISCONNECTED", `${reason} (${code})`);
    // A credential that never changes will not be let in another time.
    if (isRefused && !this.#authentication.mayChange) void this.close(cause);
    else this.#retry(cause);
  }

  #retry(cause: PubSubError): void {
    if (this.#state === "closed") return;
    this.#change("waiting", cause);
    const waitMs = this.#retryAfterMs ?? this.#backoff.next();
    this.#retryAfterMs = undefined;
    this.#timers.set("retry", waitMs, () => void this.#connect());
  }

  /** Gives up a connection that may be dead, without waiting for its end. */
  #giveUp(socket: Socket, reason: string): void {
    this.#closed(ABNORMAL, reason);
    drop(socket);
  }

  /** Asks a silent server for a sign of life, and gives it up if none comes. */
  #watch(wasAsked: boolean): void {
    this.#timers.set("silence", this.#options.silenceMs, () => {
      const socket = this.#socket;
      if (socket === undefined) return;
      const asks = this.#isSilent;
      if (asks && wasAsked) return this.#giveUp(socket, "The server gave no sign of life");
      if (asks) this.send('{"type":"ping"}');
      this.#isSilent = true;
      this.#watch(asks);
    });
  }

  /** Forgets the socket, whose events do not count any more. */
  #letGo(): Socket | undefined {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#timers.clearAll();
    return socket;
  }

  #change(state: ConnectionState, cause?: PubSubError): void {
    this.#state = state;
    this.#ports.stateChanged(state, cause);
  }
}

function asError(cause: unknown): PubSubError {
  if (cause instanceof PubSubError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new PubSubError("DISCONNECTED", `Cannot connect: ${reason}`, cause);
}
