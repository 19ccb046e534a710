/** What the scripts answer. */
import { z } from "zod";

const seq = z.int().min(0);
export const published = z.tuple([z.string(), seq, seq, z.int(), seq, z.int(), z.string()]);
export const opened = z
  .tuple([z.int(), z.string(), z.string(), seq, z.string(), seq])
  .transform(([created, born, epoch, head, prev, base]) => ({
    created: created === 1,
    born,
    epoch,
    seq: head,
    prev,
    base,
  }));
export const read = z
  .tuple([z.string(), z.string(), z.string(), seq, seq, seq, z.int(), z.array(z.tuple([seq, z.string(), z.string()]))])
  .transform(([born, epoch, prev, base, head, oldest, more, entries]) => {
    return { born, epoch, prev, base, seq: head, oldest, more: more === 1, entries };
  });
export const claimed = z
  .tuple([seq, z.string(), seq])
  .transform(([isOurs, epoch, head]) => ({ isOurs: isOurs === 1, epoch, seq: head }));
export const listed = z.array(
  z
    .tuple([z.string(), z.string(), seq, z.string(), z.string(), seq])
    .transform(([born, epoch, head, run, life, members]) => ({ born, epoch, seq: head, run, life, members })),
);

export type PublishAnswer = {
  epoch: string;
  first: number;
  seq: number;
  /** When it was published, in milliseconds since 1970 UTC. */
  ms: number;
  count: number;
  duplicate: boolean;
  born: string;
};
export type Opened = z.infer<typeof opened>;
export type Page = z.infer<typeof read>;
export type Claimed = z.infer<typeof claimed>;
/** A topic as a list shows it; `epoch` is empty if it is not there. */
export type Listed = z.infer<typeof listed>[number];
