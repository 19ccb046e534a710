import { limitExceeded, ProtocolError, topicNotFound, unavailable } from "../../protocol/codes.ts";
import { LinkError } from "./link.ts";

/** Redis has lost topics: they have to be put back before this can be answered. */
export class Lost extends ProtocolError {
  constructor() {
    super("UNAVAILABLE", "The engine has lost the topic, which is being put back: try again");
  }
}

/** Errors of Redis that are no fault of a request: it is full, loads its data, is a replica, may not be written to. */
const PASSING = /^(OOM|LOADING|READONLY|MASTERDOWN|MISCONF|NOREPLICAS|CLUSTERDOWN|BUSY|NOPERM|NOAUTH)\b/;

/** Whether Redis refused with this word. */
export function isRefusal(cause: unknown, word: string): cause is LinkError {
  return cause instanceof LinkError && cause.problem === "refused" && cause.message.startsWith(word);
}

/** What was asked. */
type Asked = { topic: string; maxTopics: number; isUnsettled: boolean };

const NOTHING: Asked = { topic: "", maxTopics: 0, isUnsettled: false };

/** What an error means for whoever asked. What is none of Redis' stays as it is. */
export function meaningOf(cause: unknown, { topic, maxTopics, isUnsettled }: Asked = NOTHING): unknown {
  if (!(cause instanceof LinkError)) return cause;
  const { problem, message } = cause;
  if (problem === "unknown") {
    return unavailable(`The engine was lost before it answered; whether it did it is not known: ${message}`);
  }
  if (problem === "away") return unavailable(`The engine cannot be reached, and was asked nothing: ${message}`);
  switch (message.split(" ")[0]) {
    case "MISSING":
      if (!isUnsettled) return topicNotFound(topic);
      return unavailable(`The engine has lost its data, and another node may still put topic '${topic}' back`);
    case "LOST":
      return new Lost();
    case "EXISTS":
      return new ProtocolError("TOPIC_EXISTS", `Topic '${topic}' exists already`, { topic });
    case "LIMIT":
      return limitExceeded("MAX_TOPICS", maxTopics, { topic });
    default:
      return PASSING.test(message) ? unavailable(`The engine refuses: ${message}`) : cause;
  }
}
