import { openCredentials } from "../../src/auth/open.ts";
import { readConfig, settings, type Config } from "../../src/config.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { Logger } from "../../src/ops/logger.ts";
import { ANSWERS } from "../../src/protocol/sent-schema.ts";
import { startServer, type RunningServer, type ServerParts } from "../../src/server.ts";
import { readTls } from "../../src/tls.ts";
import { topicUrl } from "./answers.ts";
import { LateEngine } from "./late-engine.ts";
import { Random, seedOfRun } from "./random.ts";
import { allOverRedis, overRedis, withoutRedis } from "./redis.ts";

export type TestServer = RunningServer & { readonly wsUrl: string; readonly lines: string[] } & AsyncDisposable;

/** What a server asks in place of the engine that it is configured with. */
export type EngineOver = (engine: Engine) => Engine;

/** Has the server of a test go by a Redis. */
const redis: EngineOver = (engine) => engine;

/** The engines that everything holds over. */
export const ENGINES: Record<string, EngineOver> = {
  "that answers at once": (memory) => memory,
  "that answers late": (memory) => new LateEngine(memory, new Random(seedOfRun())),
  ...(!withoutRedis && { "over Redis": redis }),
};

/** How long a client that answers no ping is waited for, in milliseconds, where a test is not about that. */
const SAY_SO_MS = 500;

/** A server on a free port of 127.0.0.1, set by the names of the environment; `await using` stops it. */
export function startTestServer(env: Record<string, string> = {}, engineOver?: EngineOver): TestServer {
  const config = configOf(engineOver === redis ? { ...overRedis(), ...env } : env, engineOver === undefined);
  return start(config, { engineOver, saySoMs: SAY_SO_MS });
}

/** The same, and it waits for clients that answer no ping as long as the executable does. */
export function startPatientServer(env: Record<string, string>): TestServer {
  return start(configOf(env), {});
}

/** The same, with the keys and the certificate that the environment names. */
export async function startGuardedServer(env: Record<string, string>): Promise<TestServer> {
  const config = configOf(env);
  return start(config, { credentials: await openCredentials(config), tls: await readTls(config) });
}

function configOf(given: Record<string, string>, mayChoose = true): Config {
  const env = allOverRedis && mayChoose ? { ...overRedis(), ...given } : given;
  for (const name of Object.keys(env)) {
    if (!settings.some(({ variable }) => variable === name)) throw new Error(`There is no setting ${name}`);
  }
  return readConfig({}, { HOST: "127.0.0.1", PORT: "0", SHUTDOWN_GRACE_MS: "0", LOG_LEVEL: "error", ...env });
}

function start(config: Config, parts: ServerParts): TestServer {
  const lines: string[] = [];
  const log = new Logger(config.logLevel, "text", (line) => lines.push(line) > 0);
  const server = startServer(config, log, parts);
  const wsUrl = `${server.url.replace("http", "ws")}/ws`;
  return { ...server, wsUrl, lines, [Symbol.asyncDispose]: () => server.stop() };
}

/** Creates a topic over HTTP. */
export async function createTopic(server: { url: string }, name: string): Promise<void> {
  const response = await fetch(`${server.url}/topics`, { method: "POST", body: JSON.stringify({ name }) });
  if (response.status !== 201) throw new Error(`Cannot create topic ${name}: ${await response.text()}`);
}

/** Deletes a topic over HTTP. */
export async function deleteTopic(server: { url: string }, name: string): Promise<void> {
  const response = await fetch(topicUrl(server, name), { method: "DELETE" });
  if (response.status !== 200) throw new Error(`Cannot delete topic ${name}: ${await response.text()}`);
}

/** `GET /health` */
export async function health(server: { url: string }) {
  return ANSWERS["GET /health"].parse(await (await fetch(`${server.url}/health`)).json());
}

/** `GET /stats`, by topic. */
export async function stats(server: { url: string }) {
  return ANSWERS["GET /stats"].parse(await (await fetch(`${server.url}/stats`)).json()).topics;
}
