import { z } from "zod";
import type { Item } from "../client/index.ts";
import { UsageError } from "../config.ts";
import { command } from "./command.ts";
import { PlainLines, jsonLine } from "./event-lines.ts";
import { EXIT } from "./exit.ts";
import { toggle, whole } from "./flag-kinds.ts";
import { SERVER, serverOf } from "./server.ts";

/** An epoch and a number, as every position is written. */
const position = z
  .string()
  .regex(/^.+:\d{1,15}$/, "must be a position, EPOCH:SEQ")
  .optional()
  .meta({ help: "begin after this position; for one topic", value: "EPOCH:SEQ" });

export const sub = command({
  name: "sub",
  summary: "print the events of topics as they come",
  notes: [
    "What was lost is printed in its place, as a gap. In a pipe each event and gap is a line of JSON, its payload as it was published.",
    "A first connection must succeed; one that is lost is made again, and goes on where it was. Ctrl-C ends it.",
  ],
  args: [{ name: "TOPIC", isMany: true }],
  needs: "a topic",
  flags: {
    last: whole(0, 1_000_000, "begin with the newest N messages of history"),
    since: position,
    count: whole(1, 999_999_999_999, "end after N events"),
    repair: toggle("fetch from history what is missing"),
    json: toggle("lines of JSON, on a terminal too"),
    ...SERVER,
  },
  example: "sub orders --last 10",
  exits: ["done", "failed", "usage", "refused"],
  isEndless: true,
  async run({ args, flags }, context) {
    const { last, since, count = Number.POSITIVE_INFINITY, repair } = flags;
    const topics = [...new Set(args)];
    if (since !== undefined && topics.length > 1) throw new UsageError("--since is for one topic, got several");
    if (since !== undefined && last !== undefined) throw new UsageError("Give --since or --last, not both");
    const server = serverOf(flags, context);
    context.endWithReader();
    const isPlain = context.isTerminal && !flags.json;
    const client = await server.connect({
      onConnection: (isThere) => {
        if (context.isWatched) context.note(isThere ? "The connection is there again" : "The connection was lost");
      },
    });
    const plain = new PlainLines(context.style, topics.length > 1);
    const textOf = (item: Item<string>) => (isPlain ? plain.line(item) : jsonLine(item));
    const enough = Promise.withResolvers<void>();
    let left = count;
    const read = async (topic: string) => {
      try {
        const onState = server.noteWaiting(topic);
        for await (const item of client.subscribe(topic, { last, since, repair, onState })) {
          if (context.signal.aborted || left === 0) return;
          if (item.type === "event") left--;
          await context.print(textOf(item));
          if (left === 0) return enough.resolve();
        }
      } catch (cause) {
        throw server.failure(cause, topic);
      }
    };
    await Promise.race([Promise.all(topics.map(read)), enough.promise, context.whenInterrupted()]);
    await client.close();
    return EXIT.done;
  },
});
