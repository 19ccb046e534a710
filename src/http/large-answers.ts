import type { Server } from "bun";
import type { AnswerBudget } from "../ops/answer-budget.ts";
import { ProtocolError } from "../protocol/codes.ts";

/** What of Bun's server an answer needs that may be read slowly. */
export type Watched = Pick<Server<unknown>, "timeout" | "requestIP">;

/**
 * How long, in seconds, a reader of a large answer may take nothing. Behind a full send buffer it shows only now and then that it
 * takes something.
 */
const PATIENCE_SECONDS = 60;

/** Has the reader of an answer that may be large given time. */
export function readSlowly(request: Request, server: Pick<Watched, "timeout">): void {
  server.timeout(request, PATIENCE_SECONDS);
}

/** How often others than readers of history have it looked what was read, in milliseconds. */
const SWEEP_EVERY_MS = 100;

/** The least that is counted for an answer that waits, in bytes. */
const OVERHEAD_BYTES = 1024;

/**
 * Answers that are as large as history, and read at whatever pace.
 *
 * One counts against the budget until Bun has handed all of it to the kernel, or its connection is gone.
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

  /** How large one answer had better be, in bytes, so that one reader does not keep all others waiting. */
  get largest(): number {
    return this.#budget.limit / 4;
  }

  /**
   * Refuses what there is no room for, before anything is made for it.
   *
   * @param about how large the answer will be, in bytes
   * @throws {ProtocolError} where too much waits already
   */
  checkRoom(server: Watched, about: number): void {
    const budget = this.#budget;
    if (!budget.hasRoom(about)) this.#sweep(server);
    if (this.#waiting.size === 0 || budget.hasRoom(about)) return;
    const detail = `UNREAD_ANSWER_BYTES is ${budget.limit}: so much waits to be read already; try again`;
    throw new ProtocolError("LIMIT_EXCEEDED", detail);
  }

  /** Answers with `text`, which its reader may take slowly, as long as it takes some. */
  answer(request: Request, server: Watched, text: string, headers: Record<string, string>): Response {
    const body = Buffer.from(text);
    const bytes = body.byteLength + OVERHEAD_BYTES;
    this.#server = server;
    this.#waiting.set(request, bytes);
    this.#budget.take(bytes);
    readSlowly(request, server);
    return new Response(body, { headers });
  }

  /** Forgets those that were read: of a request that is answered Bun does not know the address any more. */
  #sweep(server: Watched): void {
    this.#swept = performance.now();
    for (const [request, bytes] of this.#waiting) {
      if (server.requestIP(request) !== null) continue;
      this.#waiting.delete(request);
      this.#budget.release(bytes);
    }
  }
}
