import type { AnswerBudget } from "../ops/answer-budget.ts";
import type { Socket } from "./socket.ts";

/** Answers that any client may leave unread, in UTF-16 code units. */
const FREE_UNREAD_ANSWERS = 16 * 1024;

/** The same at the most, where all clients together leave room for it; then nothing more is read from it. */
export const MAX_UNREAD_ANSWERS = 4 * 1024 * 1024;

type PauseReason = "unread answers" | "requests under way";

const NO_REASON: readonly PauseReason[] = [];

/** Whether anything is read from one client: not while it leaves too many answers unread, or too much of it is under way. */
export class Reading {
  readonly #socket: Pick<Socket, "pause" | "resume">;
  readonly #budget: AnswerBudget;
  #unread = 0;
  #pausedFor = NO_REASON;

  /** @param budget what all clients together may leave unread of their answers */
  constructor(socket: Pick<Socket, "pause" | "resume">, budget: AnswerBudget) {
    this.#socket = socket;
    this.#budget = budget;
  }

  /** Takes note of an answer that waits to be read. Returns whether too much does. */
  addUnread(length: number): boolean {
    this.#unread += length;
    this.#budget.take(length);
    return this.isTooMuch(this.#unread);
  }

  /** To be called when all answers were taken, or their client is gone. */
  forgetUnread(): void {
    this.#budget.release(this.#unread);
    this.#unread = 0;
  }

  /** Whether so much may not be left unread. */
  isTooMuch(unread: number): boolean {
    return unread > MAX_UNREAD_ANSWERS || (unread > FREE_UNREAD_ANSWERS && !this.#budget.hasRoom(0));
  }

  /** Reads nothing more. Returns whether that is new. */
  pause(reason: PauseReason): boolean {
    if (this.#pausedFor.includes(reason)) return false;
    if (this.#pausedFor.length === 0) this.#socket.pause();
    this.#pausedFor = [...this.#pausedFor, reason];
    return true;
  }

  /** Reads on, if there is no other reason not to. */
  resume(reason: PauseReason): void {
    if (!this.#pausedFor.includes(reason)) return;
    this.#pausedFor = this.#pausedFor.filter((other) => other !== reason);
    if (this.#pausedFor.length === 0) this.#socket.resume();
  }
}
