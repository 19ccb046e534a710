import type { Server } from "bun";
import type { AnswerBudget } from "../ops/answer-budget.ts";
import { ProtocolError } from "../protocol/codes.ts";

/** The part of Bun's server that a slowly read answer needs. */
export type Watched = Pick<Server<unknown>, "timeout" | "requestIP">;

/**
 * How long, in seconds, a reader of a large answer may take nothing. Behind a full send buffer, its progress shows only
 * now and then.
 */
const PATIENCE_SECONDS = 60;

/** Gives the reader of a large answer more time. */
export function readSlowly(request: Request, server: Pick<Watched, "timeout">): void {
  server.timeout(request, PATIENCE_SECONDS);
}

/** The least time between two sweeps that others than readers of history cause, in milliseconds. */
const SWEEP_EVERY_MS = 100;

/** What is counted for a waiting answer on top of its body, in bytes. */
const OVERHEAD_BYTES = 1024;

/**
 * Answers as large as history, to readers of any pace.
 *
 * An answer counts against the budget until Bun has handed all of it to the kernel, or its connection is gone.
 */
export class LargeAnswers {
  readonly #budget: AnswerBudget;
  readonly #waiting = new Map<Request, number>();

  #server: Watched | undefined;
  #swept = Number.NEGATIVE_INFINITY;

  constructor(budget: AnswerBudget) {
    this.#budget = budget;
    budget.reclaim = () => {
      if (this.#server === undefined || performance.now() - this.#swept < SWEEP_EVERY_MS) return;
      this.#sweep(this.#server);
    };
  }

  /** How large one answer should be at most, in bytes, so that one reader does not keep all others waiting. */
  get largest(): number {
    return this.#budget.limit / 4;
  }

  /**
   * Refuses an answer that there is no room for, before it is encoded.
   *
   * @param about how large the answer will be, in bytes
   * @throws {ProtocolError} `LIMIT_EXCEEDED` if too much waits already
   */
  checkRoom(server: Watched, about: number): void {
    const budget = this.#budget;
    if (!budget.hasRoom(about)) this.#sweep(server);
    if (this.#waiting.size === 0 || budget.hasRoom(about)) return;
    const detail = `UNREAD_ANSWER_BYTES is ${budget.limit}: so much waits to be read already; try again`;
    throw new ProtocolError("LIMIT_EXCEEDED", detail, { limit: "UNREAD_ANSWER_BYTES" });
  }

  /** Answers with `text`. The reader may take it slowly, as long as it takes some. */
  answer(request: Request, server: Watched, text: string, headers: Record<string, string>): Response {
    const body = Buffer.from(text);
    const bytes = body.byteLength + OVERHEAD_BYTES;
    this.#server = server;
    this.#waiting.set(request, bytes);
    this.#budget.take(bytes);
    readSlowly(request, server);
    return new Response(body, { headers });
  }

  /** Forgets the answers that were read: Bun no longer knows the address of a request once it is answered. */
  #sweep(server: Watched): void {
    this.#swept = performance.now();
    for (const [request, bytes] of this.#waiting) {
      if (server.requestIP(request) !== null) continue;
      this.#waiting.delete(request);
      this.#budget.release(bytes);
    }
  }
}
