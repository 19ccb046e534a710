import { z } from "zod";
import { topicDetail } from "./frames.ts";

/** How long a state that must come is waited for, before that is taken for a failure. */
const PATIENCE_MS = 30_000;

/** Looks again and again, until `found` says that nothing is wrong any more. */
export async function until(found: () => Promise<string | undefined> | string | undefined): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (let problem = await found(); problem !== undefined; problem = await found()) {
    if (performance.now() > deadline) throw new Error(`Still not: ${problem}`);
    await Bun.sleep(10);
  }
}

/** A server as those outside see it. */
export class Watch {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async create(topic: string): Promise<void> {
    await this.#ask("/topics", { method: "POST", body: JSON.stringify({ name: topic }) }, 201);
  }

  async delete(topic: string): Promise<void> {
    await this.#ask(`/topics/${encodeURIComponent(topic)}`, { method: "DELETE" }, 200);
  }

  async topic(topic: string) {
    const response = await this.#ask(`/topics/${encodeURIComponent(topic)}`, {}, 200);
    return topicDetail.parse(await response.json());
  }

  async subscribers(): Promise<number> {
    const response = await this.#ask("/health", {}, 200);
    return z.object({ subscribers: z.int() }).parse(await response.json()).subscribers;
  }

  async #ask(path: string, init: RequestInit, status: number): Promise<Response> {
    const response = await fetch(`${this.#url}${path}`, init);
    if (response.status === status) return response;
    throw new Error(`${init.method ?? "GET"} ${path} was answered ${response.status}: ${await response.text()}`);
  }
}
