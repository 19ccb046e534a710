/**
 * Clients that flood the server with frames of one bracket, and hang up: how long a healthy client waits for its pong then,
 * and how long it did before. `bun test/stress/flood.ts [--clients N] [--frames N] [BINARY]`
 */
import { parseArgs } from "node:util";
import { startBinary, useBinary } from "../support/binary.ts";
import { Client } from "../support/client.ts";
import { Latencies } from "../support/latencies.ts";
import { RawClient } from "../support/raw-client.ts";
import { metrics } from "../support/stats.ts";
import { encodeClientFrame } from "../support/websocket-frames.ts";

const PINGS_BEFORE = 500;
const ERRORS = 'pubsub_errors_total{code="BAD_REQUEST"}';

export type Flooded = {
  before: Latencies;
  during: Latencies;
  /** Frames of the flood that were answered in all, and the most of them between two answers to the healthy one. */
  answered: number;
  mostAtOnce: number;
};

type Server = { url: string; wsUrl: string; port: number };

/**
 * Floods a server that has answered no errors yet, and hangs up once the healthy client was answered again.
 *
 * @param count frames of each
 */
export async function flood(server: Server, clients: number, count: number): Promise<Flooded> {
  const before = new Latencies();
  const during = new Latencies();
  await using healthy = await Client.connect(server);
  const ping = async (latencies: Latencies) => {
    const asked = performance.now();
    await healthy.settle();
    latencies.add(performance.now() - asked);
  };
  for (let i = 0; i < PINGS_BEFORE; i++) await ping(before);

  const flooders = await Promise.all(Array.from({ length: clients }, () => RawClient.connect(server)));
  const frames = Buffer.concat(Array<Buffer>(count).fill(encodeClientFrame("{")));
  for (const { socket } of flooders) socket.write(frames);
  let answered = 0;
  let mostAtOnce = 0;
  for (let connections = clients; connections > 0;) {
    await ping(during);
    const found = await metrics(server);
    const errors = found.get(ERRORS) ?? 0;
    mostAtOnce = Math.max(mostAtOnce, errors - answered);
    answered = errors;
    connections = (found.get('pubsub_connections{transport="websocket"}') ?? 0) - 1;
    if (answered > 0) for (const one of flooders) one.cut();
  }
  return { before, during, answered, mostAtOnce };
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { clients: { type: "string", default: "20" }, frames: { type: "string", default: "20000" } },
  });
  useBinary(positionals[0]);
  await using server = await startBinary();
  const { before, during, answered, mostAtOnce } = await flood(server, Number(values.clients), Number(values.frames));
  const ms = (latencies: Latencies) =>
    [0.5, 0.99, 1].map((share) => latencies.percentile(share).toFixed(2)).join(" / ");
  console.log(`pong before, ms, p50 / p99 / max: ${ms(before)}`);
  console.log(`pong during, ms, p50 / p99 / max: ${ms(during)}, of ${during.count}`);
  console.log(`longest during : p99 before = ${Math.round(during.percentile(1) / before.percentile(0.99))} : 1`);
  console.log(`frames of the flood answered: ${answered}, ${mostAtOnce} of them while the healthy one waited once`);
}
