import type { BrokerMetrics } from "../../src/broker/ports.ts";
import { addDropped, totalOf } from "../../src/protocol/ledger.ts";
import type { Dropped, ResumeOutcome } from "../../src/protocol/ledger.ts";

/** What a broker has counted, as plain numbers. */
export class BrokerTotals implements BrokerMetrics {
  counts = { published: 0, due: 0, delivered: 0, dropped: 0, gaps: 0, replayed: 0, resumed: 0, mostWaiting: 0 };

  /** What was dropped, by reason. */
  readonly droppedBy: Dropped = {};

  published(messages: number): void {
    this.counts.published += messages;
  }

  due(events: number): void {
    this.counts.due += events;
  }

  delivered(events: number): void {
    this.counts.delivered += events;
  }

  dropped(events: Dropped): void {
    this.counts.dropped += totalOf(events);
    addDropped(this.droppedBy, events);
  }

  gapTold(): void {
    this.counts.gaps++;
  }

  replayed(events: number): void {
    this.counts.replayed += events;
  }

  resumed(_: ResumeOutcome): void {
    this.counts.resumed++;
  }

  waiting(events: number): void {
    this.counts.mostWaiting = Math.max(this.counts.mostWaiting, events);
  }
}
