import type { z } from "zod";
import { PubSubError } from "../client/index.ts";
import { ANSWERS, problemDocument } from "../protocol/sent-schema.ts";

type Answer<K extends keyof typeof ANSWERS> = z.output<(typeof ANSWERS)[K]>;

/** How long an answer may take, in milliseconds. */
const PATIENCE_MS = 10_000;

/** The HTTP API, as far as commands need it. All reject with a {@link PubSubError}. */
export class HttpApi {
  readonly #base: string;
  readonly #headers: Record<string, string>;
  readonly #signal: AbortSignal;

  constructor(base: string, credential: string | undefined, signal: AbortSignal) {
    this.#base = base;
    this.#headers = credential === undefined ? {} : { authorization: `Bearer ${credential}` };
    this.#signal = signal;
  }

  async topics(): Promise<Answer<"GET /topics">["topics"]> {
    return (await this.#ask("GET /topics", ANSWERS["GET /topics"], "/topics")).topics;
  }

  async topic(name: string): Promise<Answer<"GET /topics/:name">> {
    return this.#ask("GET /topics/:name", ANSWERS["GET /topics/:name"], pathOf(name));
  }

  async create(name: string): Promise<Answer<"POST /topics">> {
    return this.#ask("POST /topics", ANSWERS["POST /topics"], "/topics", { name });
  }

  /** @param isLast whether it is the last thing to do, which is done even though the command was interrupted */
  async delete(name: string, isLast = false): Promise<Answer<"DELETE /topics/:name">> {
    return this.#ask("DELETE /topics/:name", ANSWERS["DELETE /topics/:name"], pathOf(name), undefined, isLast);
  }

  async stats(): Promise<Answer<"GET /stats">["topics"]> {
    return (await this.#ask("GET /stats", ANSWERS["GET /stats"], "/stats")).topics;
  }

  async health(): Promise<Answer<"GET /health">> {
    return this.#ask("GET /health", ANSWERS["GET /health"], "/health");
  }

  /** The samples of `/metrics` by name, those of different labels together (Prometheus text format). */
  async metrics(): Promise<ReadonlyMap<string, number>> {
    const { status, text } = await this.#fetch("GET", "/metrics", undefined, false);
    if (status !== 200) throw problemIn(text) ?? notOurs("GET", "/metrics", status);
    const sums = new Map<string, number>();
    for (const [, name = "", value] of text.matchAll(/^([a-z_]+)(?:\{.*\})? (\S+)$/gm)) {
      sums.set(name, (sums.get(name) ?? 0) + Number(value));
    }
    return sums;
  }

  /** Whether it takes requests. It does not while it shuts down. */
  async isReady(): Promise<boolean> {
    return (await this.#fetch("GET", "/readyz", undefined, false)).status === 200;
  }

  /** @param request the method, and the path's pattern */
  async #ask<T>(request: string, schema: z.ZodType<T>, path: string, body?: object, isLast = false): Promise<T> {
    const [method = ""] = request.split(" ");
    const { status, text } = await this.#fetch(method, path, body, isLast);
    const read = schema.safeParse(jsonIn(text));
    if (read.success && status < 300) return read.data;
    throw problemIn(text) ?? notOurs(method, path, status);
  }

  async #fetch(method: string, path: string, body: object | undefined, isLast: boolean) {
    const timeout = AbortSignal.timeout(PATIENCE_MS);
    const signal = isLast ? timeout : AbortSignal.any([timeout, this.#signal]);
    const init = { method, headers: this.#headers, signal, ...(body && { body: JSON.stringify(body) }) };
    try {
      const response = await fetch(this.#base + path, init);
      return { status: response.status, text: await response.text() };
    } catch (cause) {
      const reason = timeout.aborted
        ? `no answer in ${PATIENCE_MS / 1000} s`
        : cause instanceof Error
          ? cause.message
          : String(cause);
      throw new PubSubError("DISCONNECTED", reason, cause);
    }
  }
}

/** What a problem document says (RFC 9457); undefined if it is none. */
function problemIn(text: string): PubSubError | undefined {
  const problem = problemDocument.safeParse(jsonIn(text));
  return problem.success ? new PubSubError(problem.data.code, problem.data.detail) : undefined;
}

function notOurs(method: string, path: string, status: number): PubSubError {
  return new PubSubError("PROTOCOL", `${method} ${path} was answered with ${status}, and not as pubsub answers`);
}

function pathOf(topic: string): string {
  return `/topics/${encodeURIComponent(topic)}`;
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
