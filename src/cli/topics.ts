import { PubSubError } from "../client/index.ts";
import { UsageError } from "../config.ts";
import { command } from "./command.ts";
import type { Context } from "./context.ts";
import { EXIT } from "./exit.ts";
import { toggle } from "./flag-kinds.ts";
import { SERVER, serverOf, type Server } from "./server.ts";
import { tableLines } from "./table.ts";

const ACTIONS = ["list", "create", "delete"] as const;

export const topics = command({
  name: "topics",
  summary: "list, create and delete topics",
  notes: [
    "Without names 'list' shows all topics that the credential may see. With names it shows where each stands and what its history has; that needs admin, as creating and deleting do. In a pipe each topic is a line of JSON.",
  ],
  args: [
    { name: "ACTION", choices: ACTIONS, isOptional: true },
    { name: "NAME", isOptional: true, isMany: true },
  ],
  flags: { json: toggle("lines of JSON, on a terminal too"), ...SERVER },
  example: "topics create orders news",
  exits: ["done", "failed", "usage", "refused"],
  async run({ args: [action = "list", ...names], flags }, context) {
    const server = serverOf(flags, context);
    const isPlain = context.isTerminal && !flags.json;
    if (action === "list") {
      return names.length === 0 ? list(server, context, isPlain) : show(server, context, isPlain, names);
    }
    if (names.length === 0) throw new UsageError(`'topics ${action}' needs a name`);
    return each(names, server, context, async (name) => {
      const answer = action === "create" ? await server.api.create(name) : await server.api.delete(name);
      const done = `${answer.status} ${answer.topic}`;
      await context.print(isPlain ? context.style("green", done) : JSON.stringify(answer));
    });
  },
});

async function list(server: Server, context: Context, isPlain: boolean): Promise<number> {
  const all = await server.api.topics().catch((cause) => {
    throw server.failure(cause);
  });
  if (!isPlain) {
    for (const topic of all) await context.print(JSON.stringify(topic));
    return EXIT.done;
  }
  if (all.length === 0) context.note("There are no topics. Create one with: pubsub topics create NAME");
  const rows = all.map(({ name, subscribers }) => [name, String(subscribers)]);
  const columns = [{ title: "TOPIC" }, { title: "SUBSCRIBERS", isRight: true }];
  if (rows.length > 0) await context.print(tableLines(columns, rows, context.style).join("\n"));
  return EXIT.done;
}

const DETAIL = ["SEQ", "OLDEST", "MESSAGES", "BYTES", "SUBSCRIBERS"].map((title) => ({ title, isRight: true }));

async function show(server: Server, context: Context, isPlain: boolean, names: readonly string[]): Promise<number> {
  const rows: string[][] = [];
  const code = await each(names, server, context, async (name) => {
    const topic = await server.api.topic(name);
    if (!isPlain) return context.print(JSON.stringify(topic));
    const { seq, oldest_seq, history, subscribers_total } = topic;
    const numbers = [seq, oldest_seq, history.messages, history.bytes, subscribers_total].map(String);
    rows.push([name, topic.epoch, ...numbers]);
  });
  if (rows.length === 0) return code;
  const lines = tableLines([{ title: "TOPIC" }, { title: "EPOCH" }, ...DETAIL], rows, context.style);
  await context.print(lines.join("\n"));
  return code;
}

/** Does it for each name, and goes on after one for which the server refuses. */
async function each(
  names: readonly string[],
  server: Server,
  context: Context,
  work: (name: string) => Promise<void>,
): Promise<number> {
  let code: number = EXIT.done;
  for (const name of names) {
    try {
      await context.orInterrupted(work(name));
    } catch (cause) {
      if (!(cause instanceof PubSubError) || cause.code === "DISCONNECTED") throw server.failure(cause);
      const failure = server.explain(cause, name);
      if (failure.exitCode === EXIT.refused) throw failure;
      context.note(`pubsub: ${failure.message}`);
      code = EXIT.failed;
    }
  }
  return code;
}
