import { connect, type Client, type ConnectionState, type PubSubError } from "../client/index.ts";
import { Api, ApiError } from "./api.ts";
import { Observable } from "./observable.ts";

/** How the page stands with the server. */
export type Status = "starting" | "ready" | "stopping" | "disconnected" | "unauthorized";

/** Payloads are JSON as text, so that every digit stays. */
export type RawClient = Client<{ [topic: string]: string }>;

const STORED = "credential";

/** What may stand in a header field (RFC 9110 §5.5), and every key and token does. */
const SENDABLE = /^[\x21-\x7e]+$/;

/** The page's credential and its connections. The credential is kept for the tab only. */
export class Session {
  readonly status = new Observable<Status>("starting");
  /** Why the server refused the credential; undefined if none was shown. */
  readonly refusal = new Observable<string | undefined>(undefined);
  /** What the server answers instead of figures, if that is none of the states. */
  readonly trouble = new Observable<string | undefined>(undefined);
  readonly client = new Observable<RawClient | undefined>(undefined);
  readonly base: string;
  readonly api: Api;
  /** Whether somebody was signed in and left. */
  hasLeft = false;
  #credential = sessionStorage.getItem(STORED) ?? undefined;

  constructor(base: string) {
    this.base = base;
    this.api = new Api(base, () => this.#credential);
  }

  get hasCredential(): boolean {
    return this.#credential !== undefined;
  }

  signIn(credential: string): void {
    if (!SENDABLE.test(credential)) {
      this.refusal.set("A key or a token has letters, digits and signs of ASCII only. Check what was pasted.");
      return;
    }
    this.#drop();
    this.#credential = credential;
    this.refusal.set(undefined);
    this.trouble.set(undefined);
    this.status.set("starting");
  }

  signOut(): void {
    this.#forget();
    this.hasLeft = true;
    this.refusal.set(undefined);
    this.status.set("unauthorized");
  }

  /** The server has answered a request, and so it takes the credential. */
  answered(): void {
    if (this.#credential !== undefined) sessionStorage.setItem(STORED, this.#credential);
    this.trouble.set(undefined);
    if (this.client.value === undefined) this.#connect();
    else if (this.client.value.state === "connected") this.status.set("ready");
  }

  /** A request has failed. */
  failed(cause: unknown): void {
    const code = cause instanceof ApiError ? cause.code : undefined;
    if (code === "UNAUTHORIZED") this.#refused();
    else if (code === "SHUTTING_DOWN") this.status.set("stopping");
    else if (code === "DISCONNECTED") this.status.set("disconnected");
    else this.#troubled(cause instanceof Error ? cause.message : String(cause));
  }

  /** It answers, though not with what was asked for. */
  #troubled(reason: string): void {
    this.trouble.set(reason);
    if (this.status.value !== "disconnected") return;
    if (this.client.value === undefined) this.status.set("starting");
    else if (this.client.value.state === "connected") this.status.set("ready");
  }

  #connect(): void {
    const client: RawClient = connect(this.base, {
      raw: true,
      token: this.#credential,
      backoff: { mostMs: 2000 },
      onState: (state, cause) => this.client.value === client && this.#changed(state, cause),
      // Each subscription and publish tells its own errors where it is shown.
      onError: () => {},
    });
    this.client.set(client);
  }

  #changed(state: ConnectionState, cause: PubSubError | undefined): void {
    if (state === "connected") this.status.set("ready");
    if (state === "closed" && cause?.code === "UNAUTHORIZED") this.#refused();
    if (state !== "waiting") return;
    // While it shuts down it refuses new connections; once it is gone a request tells so.
    if (cause?.message.startsWith("shutting down") === true) this.status.set("stopping");
    else if (this.status.value !== "stopping") this.status.set("disconnected");
  }

  #refused(): void {
    // It is stored once the server has taken it.
    const wasTaken = sessionStorage.getItem(STORED) !== null;
    const words = wasTaken
      ? "This credential is no longer accepted. Sign in again."
      : "The server did not accept this credential.";
    this.refusal.set(this.hasCredential ? words : undefined);
    this.#forget();
    this.status.set("unauthorized");
  }

  #forget(): void {
    this.#drop();
    this.#credential = undefined;
    sessionStorage.removeItem(STORED);
  }

  #drop(): void {
    const client = this.client.value;
    this.client.set(undefined);
    void client?.close();
  }
}
