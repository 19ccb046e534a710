import { open, type FileHandle } from "node:fs/promises";
import type { Item } from "../client/index.ts";
import { command } from "./command.ts";
import type { Context } from "./context.ts";
import { gapText, onOneLine } from "./event-lines.ts";
import { EXIT } from "./exit.ts";
import { Failure } from "./failure.ts";
import { toggle, whole } from "./flag-kinds.ts";
import { Output } from "./output.ts";
import { Progress } from "./progress.ts";
import { SERVER, serverOf } from "./server.ts";

export const record = command({
  name: "record",
  summary: "write the messages of a topic to a file, for 'replay'",
  notes: [
    'Each line of the file is {"ts","id","topic","seq","payload"}, the payload as it was published. What is missing is fetched from history; what history has not is counted as lost.',
    "Ctrl-C ends it; the file then has all that came.",
  ],
  args: [{ name: "TOPIC" }, { name: "FILE", isFile: true }],
  needs: "a topic and a file",
  flags: {
    last: whole(0, 1_000_000, "begin with the newest N messages of history"),
    count: whole(1, 999_999_999_999, "end after N messages"),
    force: toggle("write over a file that is there"),
    json: toggle("a line of JSON, on a terminal too"),
    ...SERVER,
  },
  example: "record orders orders.jsonl --last 100",
  exits: ["done", "failed", "usage", "refused"],
  isEndless: true,
  async run({ args: [topic = "", path = ""], flags }, context) {
    const server = serverOf(flags, context);
    const client = await server.connect();
    const subscribed = Promise.withResolvers<void>();
    const noteWaiting = server.noteWaiting(topic);
    const subscription = client.subscribe(topic, {
      last: flags.last,
      repair: true,
      onState: (state, cause) => {
        noteWaiting(state, cause);
        if (state === "ended") subscribed.reject(cause);
        if (state === "live") subscribed.resolve();
      },
    });
    const done = { topic, file: path, recorded: 0, lost: 0 };
    try {
      // A topic that is not there must not cost a file that is.
      await context.orInterrupted(subscribed.promise);
      await recordTo(path, flags, subscription, done, context);
    } catch (cause) {
      throw server.failure(cause, topic);
    } finally {
      await client.close();
    }
    await context.print(summary(done, context, flags.json));
    return EXIT.done;
  },
});

/** Writes what comes to a new file, until there is enough or the command is interrupted. Counts it in `done`. */
async function recordTo(
  path: string,
  { count, force }: { count?: number | undefined; force: boolean },
  items: AsyncIterable<Item<string>>,
  done: Recorded,
  context: Context,
): Promise<void> {
  const file = await openFile(path, force);
  const output = new Output((text) => file.appendFile(text));
  const read = async () => {
    for await (const item of items) {
      if (item.type === "gap") {
        done.lost += item.status === "filled" ? 0 : countOf(item);
        // Nobody can count it.
        if (item.last_seq === undefined) context.note(`pubsub: ${gapText(item)}`);
      } else {
        await output.write(`${recordLine(item)}\n`);
        if (++done.recorded === count) return;
      }
    }
  };
  try {
    using _ = new Progress(context, () => {
      return { share: count === undefined ? undefined : done.recorded / count, text: `${done.recorded} recorded` };
    });
    await Promise.race([read(), context.whenInterrupted()]);
  } finally {
    await closed(output, file, path);
  }
}

type Recorded = { topic: string; file: string; recorded: number; lost: number };

function summary(done: Recorded, { isTerminal, style }: Context, json: boolean): string {
  if (!isTerminal || json) return JSON.stringify(done);
  const lost = done.lost === 0 ? "" : style("yellow", `, ${done.lost} lost`);
  return `${style("green", "recorded")} ${done.recorded} messages of ${done.topic} in ${done.file}${lost}`;
}

/** A message as a line of the file, but for its end. */
export function recordLine({ ts, id, topic, seq, payload }: Extract<Item<string>, { type: "event" }>): string {
  return `${JSON.stringify({ ts, id, topic, seq }).slice(0, -1)},"payload":${onOneLine(payload)}}`;
}

function countOf({ first_seq, last_seq }: { first_seq: number; last_seq: number | undefined }): number {
  return last_seq === undefined ? 0 : last_seq - first_seq + 1;
}

/** @throws {Failure} if it is there already, or cannot be written */
async function openFile(path: string, force: boolean): Promise<FileHandle> {
  try {
    return await open(path, force ? "w" : "wx");
  } catch (cause) {
    const isThere = cause instanceof Error && "code" in cause && cause.code === "EEXIST";
    throw isThere ? new Failure(`${path} is there already; --force writes over it`) : cannotWrite(path, cause);
  }
}

/** @throws {Failure} if not all of it could be written */
async function closed(output: Output, file: FileHandle, path: string): Promise<void> {
  try {
    await output.flush();
    await file.close();
  } catch (cause) {
    throw cannotWrite(path, cause);
  }
}

function cannotWrite(path: string, cause: unknown): Failure {
  return new Failure(`Cannot write ${path}: ${cause instanceof Error ? cause.message : String(cause)}`);
}
