import { statSync } from "node:fs";
import { z } from "zod";
import { solePayloadOf } from "../protocol/messages.ts";
import { payloadIn } from "../protocol/schema.ts";
import { command } from "./command.ts";
import type { Context } from "./context.ts";
import { EXIT } from "./exit.ts";
import { Failure } from "./failure.ts";
import { toggle, word } from "./flag-kinds.ts";
import { chunksOf, linesOf, type TextLine } from "./lines.ts";
import { pause } from "./pace.ts";
import { Progress } from "./progress.ts";
import { publishAll, withClient } from "./publishing.ts";
import { SERVER, serverOf } from "./server.ts";

/** How many times as fast as it was; 0 is as fast as acks allow. */
const speed = z
  .string()
  .regex(/^(max|\d{1,6}(\.\d{1,6})?)$/, "must be a number, or max")
  .transform((text) => (text === "max" ? 0 : Number(text)))
  .prefault("1")
  .meta({ help: "how many times as fast as it was; 0 or max is as fast as acks allow", default: "1" });

export const replay = command({
  name: "replay",
  summary: "publish the messages of a file that 'record' wrote, in their times",
  notes: [
    "Each goes to its own topic, or all to --topic. The lines that 'sub --json' prints can be replayed, too.",
    "With --keep-ids a message that history still has under its id is not published again, and counted as a duplicate.",
  ],
  args: [{ name: "FILE", isFile: true }],
  needs: "a file",
  flags: {
    speed,
    topic: word("TOPIC", "publish all of it to this topic"),
    keepIds: toggle("publish under the ids of the file; without it under new ones"),
    json: toggle("a line of JSON, on a terminal too"),
    ...SERVER,
  },
  example: "replay orders.jsonl --speed 10",
  exits: ["done", "failed", "usage", "refused", "interrupted"],
  async run({ args: [path = ""], flags }, context) {
    const size = sizeOf(path);
    const server = serverOf(flags, context);
    let bytes = 0;
    let published = 0;
    let duplicates = 0;
    using progress = new Progress(context, () => ({ share: bytes / size, text: `${published} published` }));
    await withClient(server, context, (publishing) => {
      const acked = ({ duplicate }: { duplicate: boolean }) => {
        published++;
        if (duplicate) duplicates++;
      };
      return publishAll(publishing, acked, async (publisher) => {
        const clock = new ReplayClock(flags.speed);
        for await (const line of linesOf(chunksOf(Bun.file(path).stream(), publisher.signal))) {
          bytes += line.bytes;
          const message = readLine(line, path);
          if (message === undefined) continue;
          const waitMs = clock.waitMs(message.ts);
          if (waitMs > 0) await pause(waitMs, publisher.signal);
          const { payload, id } = message;
          const topic = flags.topic ?? message.topic;
          await publisher.publish({ topic, payload, id: flags.keepIds ? id : undefined, name: `Line ${line.number}` });
        }
      });
    });
    progress[Symbol.dispose]();
    await context.print(summary({ file: path, published: published - duplicates, duplicates }, context, flags.json));
    return EXIT.done;
  },
});

type Replayed = { file: string; published: number; duplicates: number };

function summary(done: Replayed, { isTerminal, style }: Context, json: boolean): string {
  if (!isTerminal || json) return JSON.stringify(done);
  const duplicates = done.duplicates === 0 ? "" : style("yellow", `, ${done.duplicates} were there already`);
  return `${style("green", "replayed")} ${done.published} messages of ${done.file}${duplicates}`;
}

/** When each message of a recording is due. */
export class ReplayClock {
  readonly #speed: number;
  readonly #now: () => number;
  #start: { at: number; ts: number } | undefined;

  /** @param speed how many times as fast as it was; 0 is at once */
  constructor(speed: number, now = () => performance.now()) {
    this.#speed = speed;
    this.#now = now;
  }

  /** How long from now until a message that was published at `ts` is due again, in milliseconds. */
  waitMs(ts: string): number {
    if (this.#speed === 0) return 0;
    const time = Date.parse(ts);
    this.#start ??= { at: this.#now(), ts: time };
    return this.#start.at + (time - this.#start.ts) / this.#speed - this.#now();
  }
}

const message = z.object({ ts: z.iso.datetime(), id: z.guid(), topic: z.string().min(1), payload: payloadIn("line") });

/** What was lost cannot be published again. */
const gap = z.object({ type: z.literal("gap") });

type Recorded = { ts: string; id: string; topic: string; payload: string };

/** Reads a line; undefined if it is a gap. @throws {Failure} that names the line, if it is neither */
export function readLine({ number, text }: TextLine, path: string): Recorded | undefined {
  const value = jsonIn(text);
  if (gap.safeParse(value).success) return undefined;
  const read = message.safeParse(value);
  if (!read.success) {
    throw new Failure(`Line ${number} of ${path} is not a message as 'record' writes it`);
  }
  return { ...read.data, payload: solePayloadOf(text) };
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @throws {Failure} if it cannot be read */
function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch (cause) {
    throw new Failure(`Cannot read ${path}: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}
