import { fstatSync } from "node:fs";
import type { Published } from "../client/index.ts";
import { command } from "./command.ts";
import type { Context } from "./context.ts";
import { EXIT } from "./exit.ts";
import { Failure, Interrupted } from "./failure.ts";
import { decimal, toggle } from "./flag-kinds.ts";
import { chunksOf, linesOf } from "./lines.ts";
import { Pace } from "./pace.ts";
import { Progress } from "./progress.ts";
import { payloadFrom, Publisher, PUBLISHER_LIMITS } from "./publisher.ts";
import { SERVER, serverOf, type RawClient, type Server } from "./server.ts";

/** How long publishes wait for a connection that was lost, in milliseconds. */
const LOST_MS = 30_000;

export const pub = command({
  name: "pub",
  summary: "publish a message, or a message for each line of standard input",
  notes: [
    "A payload that is JSON is published as it is written, to the last digit. Any other is published as a JSON string.",
    "With - each line of standard input is a message; empty lines are left out. Without a payload it is - too, unless\nstandard input is a terminal.",
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
    const lost = Promise.withResolvers<never>();
    lost.promise.catch(() => {});
    let timer: ReturnType<typeof setTimeout> | undefined;
    const client = await server.connect({
      ...PUBLISHER_LIMITS,
      onConnection: (isThere) => {
        clearTimeout(timer);
        const problem = new Failure(`The connection to ${server.url} was lost, and not made again in time`);
        if (!isThere) timer = setTimeout(() => lost.reject(problem), LOST_MS);
      },
    });
    // An interrupted client closes; what was under way is counted before that is said.
    void client.closed.then((cause) => cause !== undefined && lost.reject(server.failure(cause)));
    const isPlain = context.isTerminal && !flags.json;
    const lines = { client, server, topic, rate: flags.rate };
    const all = given === "-" ? publishLines(lines, context) : publishOne(client, topic, given);
    const done = await Promise.race([all, lost.promise]).catch((cause: unknown) => {
      throw server.failure(cause, topic);
    });
    await context.print(isPlain ? plainText(done, context) : JSON.stringify(done));
    await client.close();
    return EXIT.done;
  },
});

/** What was published, where it begins and ends. */
type Result = Pick<Published, "topic" | "epoch" | "first_seq" | "seq"> & { published: number };

async function publishOne(client: RawClient, topic: string, payload: string): Promise<Result> {
  const { epoch, first_seq, seq } = await client.publish(topic, payloadFrom(payload));
  return { topic, epoch, first_seq, seq, published: 1 };
}

type Lines = { client: RawClient; server: Server; topic: string; rate: number };

async function publishLines({ client, server, topic, rate }: Lines, context: Context): Promise<Result> {
  let published = 0;
  let bytes = 0;
  let first: Published | undefined;
  let last: Published | undefined;
  const publisher = new Publisher(client, (one) => {
    published++;
    first ??= one;
    last = one;
  });
  const size = inputSize();
  const startedAt = performance.now();
  using _ = new Progress(context, () => {
    const perSecond = Math.round((published / (performance.now() - startedAt)) * 1000);
    return { share: size === undefined ? undefined : bytes / size, text: `${published} published, ${perSecond}/s` };
  });
  const pace = new Pace(rate);
  for await (const line of linesOf(chunksOf(Bun.stdin.stream(), context.signal))) {
    await pace.turn();
    const publish = { topic, payload: payloadFrom(line.text), name: `Line ${line.number}` };
    if (context.signal.aborted || !(await publisher.publish(publish))) break;
    bytes += line.bytes;
  }
  await publisher.settled();
  const { failed } = publisher;
  if (context.signal.aborted) throw new Interrupted(`Interrupted; ${published} messages were published and acked`);
  if (failed !== undefined) {
    const failure = server.failure(failed.cause, topic);
    const exitCode = failure instanceof Failure ? failure.exitCode : EXIT.failed;
    throw new Failure(`${failed.publish.name}: ${failure.message}`, exitCode);
  }
  const { epoch, first_seq } = first ?? { epoch: "", first_seq: 0 };
  return { topic, epoch, first_seq, seq: last?.seq ?? 0, published };
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
