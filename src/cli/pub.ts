import { fstatSync } from "node:fs";
import type { Published } from "../client/index.ts";
import { command } from "./command.ts";
import type { Context } from "./context.ts";
import { EXIT } from "./exit.ts";
import { Failure } from "./failure.ts";
import { decimal, toggle } from "./flag-kinds.ts";
import { chunksOf, linesOf } from "./lines.ts";
import { Pace } from "./pace.ts";
import { Progress } from "./progress.ts";
import { payloadFrom } from "./publisher.ts";
import { ConnectionLost, publishAll, withClient } from "./publishing.ts";
import { SERVER, serverOf, type RawClient, type Server } from "./server.ts";

export const pub = command({
  name: "pub",
  summary: "publish a message, or a message for each line of standard input",
  notes: [
    "A payload that is JSON is published as it is written, to the last digit. Any other is published as a JSON string.",
    "With - each line of standard input is a message; empty lines are left out. Without a payload it is - too, unless standard input is a terminal.",
    "In a pipe it prints one line of JSON when all is acked. Write -- before a payload that begins with a dash.",
  ],
  args: [{ name: "TOPIC" }, { name: "PAYLOAD|-", isOptional: true }],
  needs: "a topic and a payload, or -",
  flags: {
    rate: decimal(0, 0, 1_000_000, "messages a second; 0 is as fast as the server takes them"),
    json: toggle("a line of JSON, on a terminal too"),
    ...SERVER,
  },
  example: `pub orders '{"amount":12.50}'`,
  exits: ["done", "failed", "usage", "refused", "interrupted"],
  async run({ args: [topic = "", payload], flags }, context) {
    const given = payload ?? (process.stdin.isTTY === true ? undefined : "-");
    if (given === undefined) throw new Failure("'pub' needs a payload, or - to read lines", EXIT.usage);
    const server = serverOf(flags, context);
    const isPlain = context.isTerminal && !flags.json;
    const acked = { count: 0 };
    const done = await withClient(server, context, (client) => {
      const lines = { client, server, context, topic, rate: flags.rate, acked };
      return given === "-" ? publishLines(lines) : publishOne(lines, given);
    }).catch((cause: unknown) => {
      if (!(cause instanceof ConnectionLost)) throw cause;
      throw new Failure(`${cause.message}; messages published and acked: ${acked.count}`);
    });
    await context.print(isPlain ? plainText(done, context) : JSON.stringify(done));
    return EXIT.done;
  },
});

/** What was published, and where what is in the newest epoch begins and ends. */
type Result = { topic: string; published: number } & Partial<Pick<Published, "epoch" | "first_seq" | "seq">>;

type Lines = {
  client: RawClient;
  server: Server;
  context: Context;
  topic: string;
  rate: number;
  /** How many messages were acked so far. */
  acked: { count: number };
};

async function publishOne({ client, server, topic }: Lines, payload: string): Promise<Result> {
  const { epoch, first_seq, seq } = await client.publish(topic, payloadFrom(payload)).catch((cause) => {
    throw server.failure(cause, topic);
  });
  return { topic, epoch, first_seq, seq, published: 1 };
}

async function publishLines({ topic, rate, acked: done, ...ends }: Lines): Promise<Result> {
  let first: Published | undefined;
  let last: Published | undefined;
  let bytes = 0;
  const size = inputSize();
  const startedAt = performance.now();
  using _ = new Progress(ends.context, () => {
    const perSecond = Math.round((done.count / (performance.now() - startedAt)) * 1000);
    return { share: size === undefined ? undefined : bytes / size, text: `${done.count} published, ${perSecond}/s` };
  });
  const acked = (one: Published) => {
    // After a restart numbers begin anew. What is printed is one range of one epoch.
    if (first?.epoch !== one.epoch) first = one;
    last = one;
    done.count++;
  };
  const pace = new Pace(rate);
  const published = await publishAll(ends, acked, async (publisher) => {
    for await (const line of linesOf(chunksOf(Bun.stdin.stream(), publisher.signal))) {
      await pace.turn(publisher.signal);
      await publisher.publish({ topic, payload: payloadFrom(line.text), name: `Line ${line.number}` });
      bytes += line.bytes;
    }
  });
  if (first === undefined || last === undefined) return { topic, published };
  return { topic, epoch: last.epoch, first_seq: first.first_seq, seq: last.seq, published };
}

/** How many bytes standard input has; undefined if it is no file. */
function inputSize(): number | undefined {
  const stat = fstatSync(0);
  return stat.isFile() && stat.size > 0 ? stat.size : undefined;
}

function plainText({ topic, epoch, seq, published }: Result, { style }: Context): string {
  const what = published === 1 ? "1 message" : `${published} messages`;
  return `${style("green", "published")} ${what} to ${topic}${published === 0 ? "" : `, up to ${epoch}:${seq}`}`;
}
