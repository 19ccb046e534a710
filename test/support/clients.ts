import { AnswerBudget } from "../../src/ops/answer-budget.ts";
import { Throttle } from "../../src/ops/throttle.ts";
import type { Look } from "../../src/kernel/progress.ts";
import type { Close } from "../../src/protocol/codes.ts";
import { Clients, type Client, type ClientsDeps } from "../../src/transport/clients.ts";
import { FakeOutlet } from "./outlet.ts";

/** Longer than any test. */
const LONG_MS = 3_600_000;

/** The clients of a server that a test is not about, save for what it gives. */
export function makeClients(own: Pick<ClientsDeps, "broker" | "metrics" | "log"> & Partial<ClientsDeps>): Clients {
  return new Clients({
    throttle: new Throttle(own.log),
    maxConnections: 100,
    sendBufferBytes: 262_144,
    closeGraceMs: LONG_MS,
    closingBytes: 1e6,
    budget: new AnswerBudget(1e6),
    progress: undefined,
    ...own,
  });
}

/** A client who has read what it was sent as soon as its outlet is not blocked. */
export class FakeClient extends FakeOutlet implements Client {
  unanswered = 0;
  look: Look | undefined;
  readonly remote = { address: "127.0.0.1", port: 1 };
  unsentBytes = 0;
  /** How its connection has come to its end. */
  end: "finished" | "cut off" | undefined;
  readonly connection;
  readonly #clients: Clients;

  constructor(clients: Clients) {
    super();
    this.#clients = clients;
    this.connection = clients.connect(this);
    clients.add(this);
  }

  get sentAll(): boolean {
    return !this.blocked;
  }

  listen(): void {}
  ping(): void {}

  override close(close: Close): void {
    super.close(close);
    this.#clients.closing(this, close);
    if (!this.blocked) this.#clients.received(this);
  }

  finish(): void {
    this.#end("finished");
  }

  cut(): void {
    this.#end("cut off");
  }

  #end(end: "finished" | "cut off"): void {
    this.end ??= end;
    this.#clients.gone(this, end);
  }
}
