import { expect, test } from "bun:test";
import { Patience } from "../../src/cli/patience.ts";
import { rangeWith } from "../../src/cli/pub.ts";

test("Patience ends with the first problem, unless what it waits for comes before", async () => {
  const problems: string[] = [];
  const patience = new Patience(30, ({ message }) => problems.push(message));
  patience.begin(new Error("never"));
  patience.end();
  await Bun.sleep(50);
  expect(problems).toEqual([]);
  patience.begin(new Error("first"));
  await Bun.sleep(20);
  patience.begin(new Error("second"));
  while (problems.length === 0) await Bun.sleep(1);
  await Bun.sleep(50);
  expect(problems).toEqual(["first"]);
});

test("What pub has published is one range of the newest epoch, in whatever order it is acked", () => {
  const at = (epoch: string, first_seq: number, seq = first_seq) => ({ epoch, first_seq, seq });
  const all = [at("e", 7), at("e", 9, 12), at("e", 5), at("e", 8)];
  expect(all.reduce<ReturnType<typeof at> | undefined>(rangeWith, undefined)).toEqual(at("e", 5, 12));
  expect(rangeWith(at("e", 5, 12), at("f", 3))).toEqual(at("f", 3));
});
