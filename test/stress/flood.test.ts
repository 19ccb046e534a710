import { beforeAll, expect, test } from "bun:test";
import { binary, startBinary } from "../support/binary.ts";
import { flood } from "./flood.ts";

const CLIENTS = 20;
const FRAMES = 20_000;
/** Frames of each that may come before those of others. */
const TURN = 2000;

beforeAll(() => void binary());

test("20 clients that flood and hang up take their turns with a healthy one", async () => {
  await using server = await startBinary();
  const { answered, mostAtOnce } = await flood(server, CLIENTS, FRAMES);
  expect(answered).toBeGreaterThan(0);
  expect(mostAtOnce).toBeLessThan(CLIENTS * TURN);
});
