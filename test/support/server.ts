import { readConfig, settings } from "../../src/config.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { Logger } from "../../src/ops/logger.ts";
import { ANSWERS } from "../../src/protocol/schema.ts";
import { startServer, type RunningServer } from "../../src/server.ts";
import { topicUrl } from "./answers.ts";
import { LateEngine } from "./late-engine.ts";
import { Random, seedOfRun } from "./random.ts";

export type TestServer = RunningServer & { readonly wsUrl: string; readonly lines: string[] } & AsyncDisposable;

/** What a server asks in place of the engine in its process. */
export type EngineOver = (memory: Engine) => Engine;

/** The engines that everything holds over. */
export const ENGINES: Record<string, EngineOver> = {
  "that answers at once": (memory) => memory,
  "that answers late": (memory) => new LateEngine(memory, new Random(seedOfRun())),
};

/** A server on a free port of 127.0.0.1, set by the names of the environment; `await using` stops it. */
export function startTestServer(env: Record<string, string> = {}, engineOver?: EngineOver): TestServer {
  for (const name of Object.keys(env)) {
    if (!settings.some(({ variable }) => variable === name)) throw new Error(`There is no setting ${name}`);
  }
  const lines: string[] = [];
  const config = readConfig({}, { HOST: "127.0.0.1", PORT: "0", SHUTDOWN_GRACE_MS: "0", LOG_LEVEL: "error", ...env });
  const log = new Logger(config.logLevel, "text", (line) => void lines.push(line));
  const server = startServer(config, log, engineOver);
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
