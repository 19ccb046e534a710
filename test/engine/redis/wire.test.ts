import { expect, test } from "bun:test";
import { Keys } from "../../../src/engine/redis/keys.ts";
import { entryOf, heardOf, messageOf, metaOf } from "../../../src/engine/redis/wire.ts";
import { ID } from "../../support/client.ts";

test.each(['"x"', " {\n\t} ", "1e400", '"\\u001e"', '"😀"', '""'])(
  "an entry has its payload verbatim: %j",
  (payload) => {
    expect(messageOf(entryOf({ id: ID, payload }))).toEqual({ id: ID, payload });
    const heard = heardOf(["enode:1", "epoch", "7", "1790000000000 ", entryOf({ id: ID, payload })].join("\u001e"));
    expect(heard).toEqual({
      tag: "node:1",
      epoch: "epoch",
      first: 7,
      messages: [{ id: ID, payload }],
      ms: 1_790_000_000_000,
      traceparent: undefined,
    });
  },
);

test("a channel also says that a topic has changed, and no more", () => {
  expect(heardOf("r")).toBeUndefined();
});

test("the trace stands behind the time", () => {
  expect(metaOf("1790000000000 00-a-b-01")).toEqual({ ms: 1_790_000_000_000, traceparent: "00-a-b-01" });
});

test("all keys of a topic have one hash tag, whatever its name", () => {
  const keys = new Keys("p:", "3");
  for (const name of ["t", "a b", "{x}", "}{", "%7D", "{", ""]) {
    const all = Object.values(keys.topic(name));
    // The tag as a cluster takes it: from the first brace to the next closing one.
    const tags = all.map((key) => /\{(.*?)\}/.exec(key)?.[1]);
    expect(new Set(tags).size).toBe(1);
  }
  const channels = ["{x}", "%7Bx%7D", "x"].map((name) => keys.topic(name).channel);
  expect(new Set(channels).size).toBe(3);
});

test("channels of two databases are two, which Redis would not keep apart", () => {
  const [one, two] = [new Keys("p:", "0"), new Keys("p:", "1")];
  expect(one.topic("t").head).toBe(two.topic("t").head);
  expect(one.topic("t").channel).not.toBe(two.topic("t").channel);
  expect([one.control, one.inbox("n")]).not.toEqual([two.control, two.inbox("n")]);
});
