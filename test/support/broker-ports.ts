import type { BrokerPorts } from "../../src/broker/broker.ts";
import type { BrokerObserver } from "../../src/broker/ports.ts";
import { Metrics } from "../../src/ops/metrics.ts";

const SILENT: BrokerObserver = {
  subscribed: () => {},
  ended: () => {},
  fellBehind: () => {},
  caughtUp: () => {},
  trimmed: () => {},
};

/** Ports of a broker whose flushes a test runs by itself, and whose epochs are all `e`. What is put off is done at once. */
export function brokerPorts(own: Partial<BrokerPorts> = {}): BrokerPorts {
  return {
    wake: () => {},
    soon: (work) => work(),
    makeEpoch: () => "e",
    metrics: new Metrics(),
    observer: SILENT,
    ...own,
  };
}
