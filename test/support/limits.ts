import type { BrokerLimits } from "../../src/broker/broker.ts";

/** Limits that a test may go by where it is not about them. */
export const LIMITS: BrokerLimits = {
  maxHistory: 10,
  maxSubscriberQueue: 10,
  maxTopics: 10,
  maxSubscriptionsPerConnection: 10,
  historyMemoryBytes: 1e6,
  maxMessageBytes: 1e9,
  autoCreateTopics: true,
};
