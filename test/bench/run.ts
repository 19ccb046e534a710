/**
 * Measures the compiled server beside a bare-Bun control that speaks the same frames, in alternation, and prints the ratio
 * of their medians: `bun run bench [--only NAME,…] [--pairs N] [--seconds S] [--against publish|sends|open] [--json]`.
 * `--against open` compares the server that asks for tokens with the same one that lets everybody in.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { binary } from "../support/binary.ts";
import { TestCredentials } from "../support/credentials.ts";
import { LOAD_CORE, onCore, SERVER_CORE } from "./cores.ts";
import { resultSchema, WORKLOADS, type Result } from "./workloads.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    pairs: { type: "string", default: "3" },
    seconds: { type: "string" },
    against: { type: "string", default: "publish" },
    json: { type: "boolean", default: false },
  },
});
const names = values.only?.split(",") ?? Object.keys(WORKLOADS);
const pairs = z.coerce.number().int().min(1).parse(values.pairs);
const against = z.enum(["publish", "sends", "open"]).parse(values.against);
const seconds = z.coerce.number().positive().optional().parse(values.seconds);

using credentials = new TestCredentials();
const everything = { publish: ["*"], subscribe: ["*"], admin: true };
const guarded =
  against === "open"
    ? { env: credentials.env, load: { token: await credentials.token({}, everything) } }
    : { env: {}, load: {} };

type Target = { command: string[]; env: Record<string, string> };
const startLine = z.object({ port: z.number() });

async function withServer<T>(target: Target, use: (server: { port: number; pid: number }) => Promise<T>): Promise<T> {
  const server = Bun.spawn(onCore(SERVER_CORE, target.command), {
    env: { PATH: process.env["PATH"] ?? "", HOST: "127.0.0.1", PORT: "0", LOG_FORMAT: "json", ...target.env },
    stdout: "pipe",
    stderr: "inherit",
  });
  try {
    const reader = server.stdout.getReader();
    const { value } = await reader.read();
    const { port } = startLine.parse(JSON.parse(new TextDecoder().decode(value).split("\n")[0] ?? ""));
    return await use({ port, pid: server.pid });
  } finally {
    server.kill("SIGKILL");
    await server.exited;
  }
}

async function measure(target: Target, load: object): Promise<Result> {
  return withServer(target, async ({ port, pid }) => {
    const given = JSON.stringify({
      ...load,
      port,
      pid,
      prefix: "bench",
      ...(seconds === undefined ? {} : { seconds }),
    });
    const child = Bun.spawn(onCore(LOAD_CORE, ["bun", join(import.meta.dir, "load.ts"), given]), { stdout: "pipe" });
    const result = resultSchema.parse(JSON.parse(await new Response(child.stdout).text()));
    if (result.delivered < result.expected) {
      console.error(`  only ${result.delivered} of ${result.expected} deliveries arrived in time`);
    }
    return result;
  });
}

const median = (numbers: number[]) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
const round = (number: number) => (number >= 100 ? number.toFixed(0) : number.toFixed(2));

const rows: Record<string, unknown>[] = [];
for (const name of names) {
  const workload = WORKLOADS[name];
  if (workload === undefined)
    throw new RangeError(`There is no workload ${name}: ${Object.keys(WORKLOADS).join(", ")}`);
  const ours: Target = { command: [binary()], env: { ...workload.env, ...guarded.env } };
  const control: Target =
    against === "open"
      ? { command: ours.command, env: workload.env ?? {} }
      : { command: ["bun", join(import.meta.dir, "control.ts"), against], env: {} };
  const other = workload.against === "defaults" ? { command: ours.command, env: {} } : control;
  const measured: { ours: number[]; other: number[]; loadShare: number[] } = { ours: [], other: [], loadShare: [] };
  for (let pair = 1; pair <= pairs; pair++) {
    console.error(`${name} ${pair}/${pairs} …`);
    const mine = await measure(ours, { ...workload.load, ...guarded.load });
    const theirs = await measure(other, { ...workload.load, ...workload.otherLoad });
    measured.ours.push(workload.figure(mine));
    measured.other.push(workload.figure(theirs));
    measured.loadShare.push((100 * mine.loadCpu) / mine.seconds);
  }
  const ratios = measured.ours.map((figure, i) => figure / (measured.other[i] ?? Number.NaN));
  rows.push({
    workload: name,
    ours: round(median(measured.ours)),
    other: round(median(measured.other)),
    unit: workload.unit,
    ratio: median(ratios).toFixed(2),
    spread: `${Math.min(...ratios).toFixed(2)} … ${Math.max(...ratios).toFixed(2)}`,
    "load's own core": `${median(measured.loadShare).toFixed(0)} %`,
    what: workload.what,
  });
}

if (values.json) console.log(JSON.stringify(rows, null, 2));
else {
  const columns = Object.keys(rows[0] ?? {});
  console.log(`| ${columns.join(" | ")} |\n|${columns.map(() => " --- ").join("|")}|`);
  for (const row of rows) console.log(`| ${columns.map((column) => String(row[column])).join(" | ")} |`);
  console.log(
    "\nThe figure is the server's own, all its threads; smaller is better, a ratio below 1 better than the other. Read the " +
      "ratios: absolute figures move with the machine. What this cannot tell: where the load's own core is at 100 %, the load " +
      "is what limits the rate, and latency contains the load's own.",
  );
}
