import { expect, test } from "bun:test";
import { skipBrowser } from "../support/browser.ts";
import { Random, seedOfRun } from "../support/random.ts";
import { problemsOf } from "./balance.ts";
import { Chaos } from "./chaos.ts";
import { inBun, inChromium, inNode } from "./runtimes.ts";

/** How often the server is restarted; `CHAOS_RESTARTS=100` for more. */
const RESTARTS = Number(process.env["CHAOS_RESTARTS"] ?? 6);

const RUNTIMES = {
  Bun: inBun,
  ...(Bun.which("node") !== null && { Node: inNode }),
  ...(!skipBrowser && { Chromium: inChromium }),
};

test(`in ${Object.keys(RUNTIMES).join(", ")}, each ledger balances while the server is killed, stopped and cut off`, async () => {
  const seed = seedOfRun();
  await using chaos = await Chaos.start(new Random(seed));
  await using sessions = new AsyncDisposableStack();
  const opened = await Promise.all(
    Object.entries(RUNTIMES).map(async ([name, open]) => {
      return { name, session: sessions.use(await open(chaos.proxy.url)) };
    }),
  );
  await chaos.run(RESTARTS, opened.length);
  for (const { name, session } of opened) {
    const report = await session.stop();
    expect({ seed, name, problems: problemsOf(report).slice(0, 20) }).toEqual({ seed, name, problems: [] });
    const statuses = Object.values(report.topics).flatMap((entries) =>
      entries.map((entry) => ("status" in entry ? entry.status : "event")),
    );
    const counts = Object.fromEntries(
      [...Map.groupBy(statuses, (one) => one)].map(([status, all]) => [status, all.length]),
    );
    const repeated = report.acked.filter(({ duplicate }) => duplicate).length;
    const { connections, acked } = report;
    console.log(name, JSON.stringify({ ...chaos.done, connections, acked: acked.length, repeated, ...counts }));
    expect(connections).toBeGreaterThan(RESTARTS);
    expect(acked.length).toBeGreaterThan(RESTARTS);
  }
}, 300_000);
