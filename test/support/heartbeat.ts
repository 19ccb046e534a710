import { spyOn } from "bun:test";
import { health, startTestServer, type EngineOver, type TestServer } from "./server.ts";
import type { Subscriber } from "./subscriber.ts";

/** Longer than any test. */
const NEVER_MS = 3_600_000;

/** A server that sends heartbeats when a test tells it to, so that no test depends on how fast it runs. */
export function startServerWithManualHeartbeat(
  env: Record<string, string> = {},
  engineOver?: EngineOver,
): TestServer & { heartbeat(...living: Subscriber[]): Promise<void> } {
  let tick: unknown;
  /** What `work` sets a timer of that length for is the next heartbeat. */
  const noteTick = <T>(work: () => T): T => {
    const spy = spyOn(globalThis, "setTimeout");
    const result = work();
    tick = spy.mock.calls.find(([, delay]) => delay === NEVER_MS)?.[0];
    spy.mockRestore();
    return result;
  };
  const server = noteTick(() => startTestServer({ HEARTBEAT_INTERVAL_MS: String(NEVER_MS), ...env }, engineOver));
  return {
    ...server,
    /** One heartbeat. Resolves when each of the `living` has received it, and has had its answer read. */
    heartbeat: async (...living) => {
      const received = living.map((subscriber) => subscriber.heartbeats(1));
      const due: unknown = tick;
      if (typeof due !== "function") throw new Error("The server has set no heartbeat");
      noteTick(() => due());
      await Promise.all(received);
      for (let i = 0; i < 3; i++) await health(server);
    },
  };
}
