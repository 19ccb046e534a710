import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { startBinary } from "../support/binary.ts";
import { tempFolder } from "../support/proxies.ts";

const ROOT = join(import.meta.dir, "../..");
const entry = z.object({ keys: z.array(z.object({ name: z.string(), sha256: z.string() })) });

async function run(args: readonly string[], env: Record<string, string> = {}) {
  const child = Bun.spawn([process.execPath, "src/main.ts", ...args], {
    cwd: ROOT,
    env,
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, complaint, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { out, complaint, code };
}

test("a key and a token from the command line let a client in, each to what it says", async () => {
  using folder = tempFolder();
  const [keys, secret] = [join(folder.path, "keys.json"), join(folder.path, "secret")];
  writeFileSync(secret, "a secret of thirty-two bytes, at least\n");
  const made = await run(["key", "billing", "--publish", "orders.*"]);
  const [key = "", json = ""] = made.out.split("\n\n");
  entry.parse(JSON.parse(json));
  writeFileSync(keys, json);
  const env = { API_KEYS_FILE: keys, JWT_SECRET_FILE: secret, TOPICS: "orders.eu,other" };
  const token = (await run(["token", "--sub", "alice", "--subscribe", "orders.*", "--ttl", "5m"], env)).out.trim();
  await using server = await startBinary(env);
  const status = async (text: string, method: string, topic: string) => {
    const init = {
      method,
      headers: { authorization: `Bearer ${text}` },
      ...(method === "POST" && { body: `{"payload":1}` }),
    };
    return (await fetch(`${server.url}/topics/${topic}/messages`, init)).status;
  };
  expect(await status(key, "POST", "orders.eu")).toBe(200);
  expect(await status(key, "POST", "other")).toBe(403);
  expect(await status(key, "GET", "orders.eu")).toBe(403);
  expect(await status(token, "GET", "orders.eu")).toBe(200);
  expect(await status(token, "POST", "orders.eu")).toBe(403);
});

test.each([
  [["key"], "'key' needs one name"],
  [["key", "a", "b"], "'key' needs one name"],
  [["key", "a", "--pubish", "x"], "--pubish"],
  [["token"], "'token' needs --sub"],
  [["token", "--sub", "a"], "'token' needs JWT_SECRET_FILE"],
  [["token", "--sub", "a", "--jwt-secret-file", "/nowhere"], "JWT_SECRET_FILE cannot be used"],
  [["token", "--sub", "a", "--ttl", "x", "--jwt-secret-file", "/dev/null"], "--ttl must be"],
  [["token", "--sub", "a", "--jwt-secret-file", "/dev/null"], "32 bytes or more, and this one has 0"],
])("%j is refused with exit code 2: %s", async (args, words) => {
  const { complaint, code, out } = await run(args);
  expect([code, out]).toEqual([2, ""]);
  expect(complaint).toContain(words);
});

test.each(["key", "token"])("%s --help has an example", async (command) => {
  const { out, code } = await run([command, "--help"]);
  expect(code).toBe(0);
  expect(out).toContain(`Example: pubsub ${command}`);
});
