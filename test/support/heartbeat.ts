import { spyOn } from "bun:test";
import { health, startTestServer, type TestServer } from "./server.ts";
import type { Subscriber } from "./subscriber.ts";

/** Longer than any test. */
const NEVER_MS = 3_600_000;

/** A server whose heart beats when it is told to, so that no test depends on how fast it runs. */
export function startServerWithoutPulse(
  env: Record<string, string> = {},
): TestServer & { beat(...living: Subscriber[]): Promise<void> } {
  const spy = spyOn(globalThis, "setInterval");
  const server = startTestServer({ HEARTBEAT_INTERVAL_MS: String(NEVER_MS), ...env });
  const tick: unknown = spy.mock.calls[0]?.[0];
  spy.mockRestore();
  if (typeof tick !== "function") throw new Error("The server has set no heartbeat");
  return {
    ...server,
    /** One heartbeat. Resolves when each of the `living` has received it, and has had its answer read. */
    beat: async (...living) => {
      const received = living.map((subscriber) => subscriber.heartbeats(1));
      tick();
      await Promise.all(received);
      for (let i = 0; i < 3; i++) await health(server);
    },
  };
}
