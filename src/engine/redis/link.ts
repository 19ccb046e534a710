import type { ScriptName } from "./scripts.ts";

/** Why Redis did not do what it was asked for. */
export type LinkProblem =
  /** It cannot be reached: it was asked nothing. */
  | "away"
  /** The connection was lost before it answered: whether it did it is not known. */
  | "unknown"
  /** It answered with an error, and did nothing. */
  | "refused";

export class LinkError extends Error {
  readonly problem: LinkProblem;

  constructor(problem: LinkProblem, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "LinkError";
    this.problem = problem;
  }
}

/** How Redis is asked. All requests are done in the order in which they are made. */
export interface Asking {
  /** @throws {LinkError} as a rejection */
  run(script: ScriptName, keys: readonly string[], args: readonly string[]): Promise<unknown>;
  /** @throws {LinkError} as a rejection */
  send(command: string, args: readonly string[]): Promise<unknown>;
}

/**
 * The way to Redis: one connection for requests, one for what is heard on channels. Both are made anew, whenever they are
 * lost, until {@link close}. A short absence is waited out.
 */
export interface RedisLink extends Asking {
  /** Why Redis cannot be reached; undefined if it can. */
  readonly away: string | undefined;
  /** Which server it is: another one after each of its restarts, and after a failover. */
  readonly server: string;
  start(events: LinkEvents): void;
  /**
   * Undefined if Redis can be asked. Otherwise it resolves when that is so, or rejects: at once if Redis has been away for
   * long.
   */
  whenOpen(): Promise<void> | undefined;
  /** Hears a channel from now on. Resolves once it does. */
  follow(channel: string): Promise<void>;
  unfollow(channel: string): void;
  /** Makes the connection for channels anew. */
  hearAnew(reason: string): void;
  close(): void;
}

/** What the link tells. */
export interface LinkEvents {
  /** The channels that are to be heard from the beginning. */
  readonly channels: readonly string[];
  /** A connection for requests is there. Nothing else is asked on it before this resolves. */
  opened(asking: Asking): Promise<void>;
  /** From now on everybody asks. */
  ready(): void;
  /** Every channel that is followed is heard from now on. What was said before is not. */
  hearing(): void;
  heard(channel: string, message: string): void;
}
