import { z } from "zod";

/** What one run of the load does, and what it found. It crosses a process boundary as JSON. */
export const loadSchema = z.object({
  mode: z.enum(["fanout", "latency", "idle"]),
  port: z.number(),
  pid: z.number(),
  /** A credential that every connection and request shows. */
  token: z.string().optional(),
  prefix: z.string(),
  subscribers: z.number(),
  /** Subscribers, of these, that never read. */
  stalled: z.number().default(0),
  topics: z.number().default(1),
  publishers: z.number().default(1),
  /** Bytes of a payload. */
  size: z.number().default(128),
  /** Messages in flight, in mode fanout. */
  window: z.number().default(1),
  /** Messages a second, in mode latency. */
  rate: z.number().default(100),
  seconds: z.number(),
});
export type Load = z.infer<typeof loadSchema>;

export const resultSchema = z.object({
  published: z.number(),
  delivered: z.number(),
  expected: z.number(),
  seconds: z.number(),
  /** CPU seconds of the server, and of the load itself, meanwhile. */
  serverCpu: z.number(),
  loadCpu: z.number(),
  p50Us: z.number(),
  p99Us: z.number(),
  /** Bytes of memory resident in the server before and after. */
  residentBefore: z.number(),
  residentAfter: z.number(),
});
export type Result = z.infer<typeof resultSchema>;

type Workload = {
  what: string;
  load: Omit<z.input<typeof loadSchema>, "port" | "pid" | "token" | "prefix">;
  /** The figure that is compared; smaller is better. */
  figure: (result: Result) => number;
  unit: string;
  /** The environment of the server under test. */
  env?: Record<string, string>;
  /** What it is compared with: the bare-Bun control, or this server with its defaults. */
  against?: "control" | "defaults";
  /** The other one's load, where it differs. */
  otherLoad?: Partial<Load>;
};

const perDelivery = ({ serverCpu, delivered }: Result) => (serverCpu * 1e6) / Math.max(1, delivered);
const fanout = (window: number): Workload => ({
  what: `1000 subscribers, ${window === 1 ? "one message" : `${window} messages`} in flight`,
  load: { mode: "fanout", subscribers: 1000, window, seconds: 4 },
  figure: perDelivery,
  unit: "CPU µs a delivery",
});

export const WORKLOADS: Record<string, Workload> = {
  "fanout-1": fanout(1),
  "fanout-8": fanout(8),
  "fanout-32": fanout(32),
  "big-8": {
    what: "200 subscribers, 16 KiB payloads, 8 in flight",
    load: { mode: "fanout", subscribers: 200, size: 16384, window: 8, seconds: 4 },
    figure: perDelivery,
    unit: "CPU µs a delivery",
  },
  "pairs-200": {
    what: "100 topics of one publisher and one subscriber, 200 in flight",
    load: { mode: "fanout", subscribers: 100, topics: 100, publishers: 100, window: 200, seconds: 4 },
    figure: perDelivery,
    unit: "CPU µs a publish",
  },
  "stalled-32": {
    what: "1000 subscribers of which 100 never read, 4 KiB, 32 in flight; the control has the 900 only",
    load: { mode: "fanout", subscribers: 1000, stalled: 100, size: 4096, window: 32, seconds: 5 },
    figure: perDelivery,
    unit: "CPU µs a delivery",
    otherLoad: { subscribers: 900, stalled: 0 },
  },
  "latency-100": {
    what: "1000 subscribers, 100 messages a second",
    load: { mode: "latency", subscribers: 1000, rate: 100, seconds: 4 },
    figure: ({ p99Us }) => p99Us,
    unit: "p99 µs",
  },
  "idle-10k": {
    what: "10000 subscribers that only wait",
    load: { mode: "idle", subscribers: 10000, seconds: 1 },
    figure: ({ residentAfter, residentBefore }) => (residentAfter - residentBefore) / 10000 / 1024,
    unit: "kB a subscriber",
  },
  "stalled-memory": {
    what: "resident memory after 1000 subscribers of which 100 never read, 4 KiB; compared with the 900 only",
    load: { mode: "fanout", subscribers: 1000, stalled: 100, size: 4096, window: 32, seconds: 10 },
    figure: ({ residentAfter }) => residentAfter / 1024 / 1024,
    unit: "MB",
    against: "defaults",
    otherLoad: { subscribers: 900, stalled: 0 },
  },
  "flush-20": {
    what: "FLUSH_INTERVAL_MS=20, 1000 subscribers, 500 messages a second; compared with 0",
    load: { mode: "latency", subscribers: 1000, rate: 500, seconds: 5 },
    figure: perDelivery,
    unit: "CPU µs a delivery",
    env: { FLUSH_INTERVAL_MS: "20" },
    against: "defaults",
  },
  "flush-20-p99": {
    what: "the same, its latency",
    load: { mode: "latency", subscribers: 1000, rate: 500, seconds: 5 },
    figure: ({ p99Us }) => p99Us,
    unit: "p99 µs",
    env: { FLUSH_INTERVAL_MS: "20" },
    against: "defaults",
  },
};
