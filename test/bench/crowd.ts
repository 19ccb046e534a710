/**
 * A crowd of clients whose server restarts: how long until all are back, and how long the server's loop is held meanwhile,
 * beside the same crowd coming in for the first time. One more WebSocket pings: what its pongs take is what anybody waits.
 * `bun test/bench/crowd.ts [--clients N] [--signal SIGKILL|SIGTERM] [BINARY]`
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { startBinary, useBinary } from "../support/binary.ts";
import { HelperProcess } from "../support/helper-process.ts";
import { givingWay, leaveServerItsCore, onCore, SERVER_CORE } from "./cores.ts";
import { Pinger } from "./pinger.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { clients: { type: "string", default: "2000" }, signal: { type: "string", default: "SIGKILL" } },
});
const clients = z.coerce.number().int().min(1).parse(values.clients);
const signal = z.enum(["SIGKILL", "SIGTERM"]).parse(values.signal);
useBinary(positionals[0]);
leaveServerItsCore();

const TOPIC = "t";
/** How long the pings of one crowd go on: longer than it may take to come. */
const SECONDS = 10;

const start = (port: number) =>
  startBinary({ TOPICS: TOPIC, PORT: String(port) }, undefined, (command) => onCore(SERVER_CORE, command));
const now = () => performance.timeOrigin + performance.now();

/** Pings while a crowd comes in. Returns how long the crowd took from `since` on, and the longest wait for a pong. */
async function watch(port: number, helper: HelperProcess, since: number) {
  const pinger = new Pinger(port);
  await pinger.opened;
  const pinging = pinger.run(SECONDS);
  const { live } = await helper.said(z.object({ live: z.number() }));
  const { roundTrips } = await pinging;
  pinger.cut();
  return { backMs: Math.round(live - since), p99: roundTrips.percentile(0.99), longest: roundTrips.percentile(1) };
}

let server = await start(0);
const { port, url } = server;
await using helper = new HelperProcess(
  join(import.meta.dir, "crowd-clients.ts"),
  { url, clients, topic: TOPIC },
  givingWay,
);
const first = await watch(port, helper, now());
server.process.kill(signal);
await server.process.exited;
await helper.said(z.object({ lost: z.number() }));
const since = now();
server = await start(port);
const again = await watch(port, helper, since);
helper.end();
await server[Symbol.asyncDispose]();
console.table(
  Object.entries({ "for the first time": first, [`after ${signal}`]: again }).map(
    ([crowd, { backMs, p99, longest }]) => ({
      crowd: `${clients} clients ${crowd}`,
      "all live after, ms": backMs,
      "pong p99, ms": p99.toFixed(1),
      "longest, ms": longest.toFixed(1),
    }),
  ),
);
console.log(`longest wait ${(again.longest / first.longest).toFixed(2)} of that of the first time`);
