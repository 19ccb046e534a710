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
import { GaveUp, publishAll, withClient, type Publishing } from "./publishing.ts";
import { SERVER, serverOf } from "./server.ts";

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
    const done = await withClient(server, context, (publishing) => {
      const lines = { publishing, topic, rate: flags.rate, acked };
      return given === "-" ? publishLines(lines) : publishOne(lines, given);
    }).catch((cause: unknown) => {
      if (!(cause instanceof GaveUp)) throw cause;
      throw new Failure(`${cause.message}; messages published and acked: ${acked.count}`);
    });
    await context.print(isPlain ? plainText(done, context) : JSON.stringify(done));
    return EXIT.done;
  },
});

/** What was published, and where what is in the newest epoch begins and ends. */
type Result = { topic: string; published: number } & Partial<Range>;

type Range = Pick<Published, "epoch" | "first_seq" | "seq">;

type Lines = {
  publishing: Publishing;
  topic: string;
  rate: number;
  /** How many messages were acked so far. */
  acked: { count: number };
};

async function publishOne({ publishing: { client, server }, topic }: Lines, payload: string): Promise<Result> {
  const { epoch, first_seq, seq } = await client.publish(topic, payloadFrom(payload)).catch((cause) => {
    throw server.failure(cause, topic);
  });
  return { topic, epoch, first_seq, seq, published: 1 };
}

async function publishLines({ publishing, topic, rate, acked: done }: Lines): Promise<Result> {
  let range: Range | undefined;
  let bytes = 0;
  const size = inputSize();
  const startedAt = performance.now();
  using _ = new Progress(publishing.context, () => {
    const perSecond = Math.round((done.count / (performance.now() - startedAt)) * 1000);
    return { share: size === undefined ? undefined : bytes / size, text: `${done.count} published, ${perSecond}/s` };
  });
  const acked = (one: Published) => {
    range = rangeWith(range, one);
    done.count++;
  };
  const pace = new Pace(rate);
  const published = await publishAll(publishing, acked, async (publisher) => {
    for await (const line of linesOf(chunksOf(Bun.stdin.stream(), publisher.signal))) {
      await pace.turn(publisher.signal);
      await publisher.publish({ topic, payload: payloadFrom(line.text), name: `Line ${line.number}` });
      bytes += line.bytes;
    }
  });
  return { topic, ...range, published };
}

/**
 * Where what was acked begins and ends, with one more. It is one range of the newest epoch: in another, numbers may begin
 * anew. What had to be sent again may be acked after what comes behind it.
 */
export function rangeWith(range: Range | undefined, { epoch, first_seq, seq }: Range): Range {
  if (range?.epoch !== epoch) return { epoch, first_seq, seq };
  return { epoch, first_seq: Math.min(range.first_seq, first_seq), seq: Math.max(range.seq, seq) };
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
