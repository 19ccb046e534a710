import type { Batch, Peer } from "../../src/broker/ports.ts";
import type { Close } from "../../src/protocol/codes.ts";
import type { Notice } from "../../src/protocol/frames.ts";

/** A peer that remembers what it was sent, and blocks after `room` more events. */
export class FakePeer implements Peer {
  readonly transport = "websocket";
  readonly connectedAt = 0;
  readonly address = undefined;
  readonly traceparent = undefined;
  room = Number.POSITIVE_INFINITY;
  /** How often it throws from now on, whatever is sent. */
  faultsLeft = 0;
  closed: Close | undefined;
  /** How often something was sent, each batch counted once. */
  batches = 0;
  /** How many of these were pending events, as all who are caught up get them. */
  sends = 0;
  readonly sent: (string | Notice)[] = [];

  get blocked(): boolean {
    return this.room <= 0;
  }

  set faulty(faulty: boolean) {
    this.faultsLeft = faulty ? Number.POSITIVE_INFINITY : 0;
  }

  batch(batch: Batch): void {
    this.batches++;
    batch.write();
  }

  event(text: string, seq: number): void {
    if (this.blocked) throw new Error("An event was sent to a blocked peer");
    this.#take(text, seq);
  }

  send(texts: readonly string[], first: number): void {
    if (this.blocked) throw new Error("Events were sent to a blocked peer");
    this.batches++;
    this.sends++;
    for (const [index, text] of texts.entries()) this.#take(text, first + index);
  }

  notice(notice: Notice): void {
    this.sent.push(notice);
  }

  close(close: Close): void {
    this.closed = close;
  }

  #take(text: string, seq: number): void {
    if (this.faultsLeft-- > 0) throw new Error("a fault");
    this.faultsLeft = 0;
    if (seqOf(text) !== String(seq)) throw new Error(`Said to be seq ${seq}: ${text}`);
    this.room--;
    this.sent.push(text);
  }

  /** What was sent, in short: `5` for the event of seq 5, `2-4` for that gap, or an info's `msg`. */
  get story(): string[] {
    return this.sent.map((sent) => {
      if (typeof sent === "string") return seqOf(sent);
      return sent.type === "info" ? sent.msg : `${sent.error.first_seq}-${sent.error.last_seq}`;
    });
  }
}

export function seqOf(event: string): string {
  return /"seq":(\d+)/.exec(event)?.[1] ?? `no seq in ${event}`;
}
