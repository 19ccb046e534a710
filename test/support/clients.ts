import { AnswerBudget } from "../../src/ops/answer-budget.ts";
import { Throttle } from "../../src/ops/throttle.ts";
import { Clients, type ClientsDeps } from "../../src/transport/clients.ts";

/** Longer than any test. */
const LONG_MS = 3_600_000;

/** The clients of a server that a test is not about, save for what it gives. */
export function makeClients(own: Pick<ClientsDeps, "broker" | "metrics" | "log"> & Partial<ClientsDeps>): Clients {
  return new Clients({
    throttle: new Throttle(own.log),
    maxConnections: 100,
    closeGraceMs: LONG_MS,
    closingBytes: 1e6,
    budget: new AnswerBudget(1e6),
    progress: undefined,
    ...own,
  });
}
