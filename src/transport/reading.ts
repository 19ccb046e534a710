import type { AnswerBudget } from "../ops/answer-budget.ts";
import type { Socket } from "./socket.ts";

/** How much of its answers every client may leave unread, in UTF-16 code units. */
const FREE_UNREAD_ANSWERS = 16 * 1024;

/** The most that a client may leave unread, if the budget has room for it. Beyond that nothing more is read from it. */
export const MAX_UNREAD_ANSWERS = 4 * 1024 * 1024;

type PauseReason = "unread answers" | "requests under way" | "frames that wait";

const NO_REASON: readonly PauseReason[] = [];

/** Stops reading from one client while it leaves too many answers unread, or too many of its requests are under way. */
export class Reading {
  readonly #socket: Pick<Socket, "pause" | "resume">;
  readonly #budget: AnswerBudget;
  #unread = 0;
  #pausedFor = NO_REASON;

  /** @param budget bounds what all clients together leave unread of their answers */
  constructor(socket: Pick<Socket, "pause" | "resume">, budget: AnswerBudget) {
    this.#socket = socket;
    this.#budget = budget;
  }

  /** Counts an answer that waits to be read. Returns whether too much is unread. */
  addUnread(length: number): boolean {
    this.#unread += length;
    this.#budget.take(length);
    return this.isTooMuch(this.#unread);
  }

  /** Call when the client has taken all answers, or is gone. */
  forgetUnread(): void {
    this.#budget.release(this.#unread);
    this.#unread = 0;
  }

  /** Whether `unread` is more than the client may leave unread. */
  isTooMuch(unread: number): boolean {
    return unread > MAX_UNREAD_ANSWERS || (unread > FREE_UNREAD_ANSWERS && !this.#budget.hasRoom(0));
  }

  /** Stops reading. Returns whether `reason` is new. */
  isPausedFor(reason: PauseReason): boolean {
    return this.#pausedFor.includes(reason);
  }

  pause(reason: PauseReason): boolean {
    if (this.#pausedFor.includes(reason)) return false;
    if (this.#pausedFor.length === 0) this.#socket.pause();
    this.#pausedFor = [...this.#pausedFor, reason];
    return true;
  }

  /** Reads on, unless there is another reason not to. */
  resume(reason: PauseReason): void {
    if (!this.#pausedFor.includes(reason)) return;
    this.#pausedFor = this.#pausedFor.filter((other) => other !== reason);
    if (this.#pausedFor.length === 0) this.#socket.resume();
  }

  resumeAll(): void {
    for (const reason of this.#pausedFor) this.resume(reason);
  }
}
