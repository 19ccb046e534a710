import { counter, histogram, type Metric } from "./exposition.ts";
import { Histogram, SHORT_SECONDS } from "./histogram.ts";

/** Counts what happens between this node and Redis. With the engine in memory all stays 0. */
export class EngineMetrics {
  readonly roundTrips = new Histogram(SHORT_SECONDS);
  reconnects = 0;
  filled = 0;
  probesLost = 0;

  get all(): Metric[] {
    return [
      histogram("engine_round_trip_seconds", "From a request to the engine until its answer; none in memory.", () =>
        this.roundTrips.samples(),
      ),
      counter("engine_reconnects", "Connections to the engine that were made again.", () => this.reconnects),
      counter(
        "engine_messages_filled",
        "Messages read from the stream because their channel had lost them.",
        () => this.filled,
      ),
      counter("engine_probes_lost", "Probes that did not come back through the engine.", () => this.probesLost),
    ];
  }
}
