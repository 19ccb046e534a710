import { readFigures, type Figures } from "./figures.ts";
import type { Position } from "../client/index.ts";
import {
  readDetail,
  readNodes,
  readPosition,
  readProblem,
  readStats,
  readTopics,
  type Nodes,
  type TopicCounts,
  type TopicDetail,
} from "./read.ts";

/** What the server answered instead, or `DISCONNECTED` if it did not answer. */
export class ApiError extends Error {
  readonly code: string;

  constructor(code: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "ApiError";
    this.code = code;
  }
}

/** What a proxy answers that does not reach the server (RFC 9110 §15.6.3 to §15.6.5). */
const UNREACHED = [502, 503, 504];

type Ask = { method?: string; body?: object; signal?: AbortSignal };

/** The server's HTTP API, as far as the client library does not have it. All of it throws {@link ApiError}. */
export class Api {
  readonly #base: string;
  readonly #credential: () => string | undefined;

  constructor(base: string, credential: () => string | undefined) {
    this.#base = base;
    this.#credential = credential;
  }

  async stats(signal: AbortSignal): Promise<TopicCounts[]> {
    return readStats(await this.#json("stats", { signal }));
  }

  async topics(signal: AbortSignal): Promise<TopicCounts[]> {
    return readTopics(await this.#json("topics", { signal }));
  }

  async figures(signal: AbortSignal): Promise<Figures> {
    return readFigures(await this.metrics(signal));
  }

  async nodes(signal: AbortSignal): Promise<Nodes> {
    return readNodes(await this.#json("nodes", { signal }));
  }

  metrics(signal?: AbortSignal): Promise<string> {
    return this.#ask("metrics", { ...(signal && { signal }) });
  }

  /** @param after the last subscriber of the page before */
  async detail(topic: string, limit: number, after: string | undefined, signal: AbortSignal): Promise<TopicDetail> {
    const query = new URLSearchParams({ limit: String(limit), ...(after !== undefined && { after }) });
    return readDetail(await this.#json(`topics/${encodeURIComponent(topic)}?${query}`, { signal }));
  }

  /** Where a topic stands, for who may read it. */
  async position(topic: string, signal: AbortSignal): Promise<Position> {
    return readPosition(await this.#json(`topics/${encodeURIComponent(topic)}/messages?last_n=0`, { signal }));
  }

  async create(name: string): Promise<void> {
    await this.#ask("topics", { method: "POST", body: { name } });
  }

  async delete(name: string): Promise<void> {
    await this.#ask(`topics/${encodeURIComponent(name)}`, { method: "DELETE" });
  }

  async #json(path: string, ask: Ask): Promise<unknown> {
    return JSON.parse(await this.#ask(path, ask));
  }

  async #ask(path: string, { method = "GET", body, signal }: Ask): Promise<string> {
    const credential = this.#credential();
    const headers: Record<string, string> = credential === undefined ? {} : { authorization: `Bearer ${credential}` };
    const init = { method, headers, ...(body && { body: JSON.stringify(body) }), ...(signal && { signal }) };
    let response: Response;
    let text: string;
    try {
      response = await fetch(new URL(path, this.#base), init);
      text = await response.text();
    } catch (cause) {
      throw new ApiError("DISCONNECTED", "The server does not answer", cause);
    }
    if (response.ok) return text;
    const unreached = UNREACHED.includes(response.status) ? "DISCONNECTED" : "INTERNAL";
    const { code = unreached, detail = `The server answered ${response.status}` } = readProblem(parsed(text));
    throw new ApiError(code, detail);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
