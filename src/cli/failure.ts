import type { PubSubError } from "../client/index.ts";
import { EXIT } from "./exit.ts";

/** A command cannot go on. The message is one line for people. */
export class Failure extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT.failed) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Ctrl-C, before the command was done. */
export class Interrupted extends Failure {
  constructor(message = "") {
    super(message, EXIT.interrupted);
  }
}

/** Where the server is, and whether it is shown a credential; never which. */
type Server = { url: string; hasCredential: boolean };

const CREDENTIALS = "--key or --token, PUBSUB_KEY or PUBSUB_TOKEN";

/** Reasons that add nothing to that the server cannot be reached. */
const SAYS_NO_MORE = /1006|ECONNREFUSED|ConnectionRefused/;

/** What the server or the client library says, for people: with what they can do about it. */
export function failureOf(cause: PubSubError, { url, hasCredential }: Server, topic?: string): Failure {
  switch (cause.code) {
    case "DISCONNECTED":
      return new Failure(
        `Cannot reach ${url}: is the server running? Start one with 'pubsub', or name another with --url or PUBSUB_URL` +
          (SAYS_NO_MORE.test(cause.message) ? "" : ` (${cause.message})`),
      );
    case "UNAUTHORIZED":
      return new Failure(
        hasCredential
          ? `${url} refuses this credential: ${cause.message}`
          : `${url} wants a credential: give one with ${CREDENTIALS}`,
        EXIT.refused,
      );
    case "FORBIDDEN":
    case "REVOKED":
      return new Failure(
        hasCredential ? cause.message : `${cause.message}; give a credential with ${CREDENTIALS}`,
        EXIT.refused,
      );
    case "TOPIC_NOT_FOUND":
      return new Failure(
        topic === undefined
          ? cause.message
          : `There is no topic '${topic}'. Create it: pubsub topics create ${quoted(topic)}`,
      );
    default:
      return new Failure(cause.message);
  }
}

/** A word as a shell reads it. */
function quoted(word: string): string {
  return /^[\w./:@%+-]+$/.test(word) && !word.startsWith("-") ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
