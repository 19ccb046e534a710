import { afterAll } from "bun:test";
import { removeBuilt } from "./binary.ts";
import { stopSharedRedis } from "./redis.ts";

/** Preloaded by bunfig.toml: what one run of the tests made for all its files goes with it. */
afterAll(() => {
  removeBuilt();
  stopSharedRedis();
});
