import type { Batch, Outlet } from "../../src/broker/ports.ts";
import type { Close } from "../../src/protocol/codes.ts";
import type { Notice } from "../../src/protocol/encode.ts";

/** An outlet that remembers what it was sent, and blocks after `room` more events. */
export class FakeOutlet implements Outlet {
  readonly transport = "websocket";
  readonly connectedAt = 0;
  readonly address = undefined;
  room = Number.POSITIVE_INFINITY;
  /** Throws, whatever is sent. */
  faulty = false;
  closed: Close | undefined;
  /** How often something was sent, each batch counted once. */
  batches = 0;
  /** How many of these were handed over ready-made: a burst, or an event outside of a batch. */
  bursts = 0;
  #batching = false;
  readonly sent: (string | Notice)[] = [];

  get blocked(): boolean {
    return this.room <= 0;
  }

  batch(batch: Batch): void {
    this.batches++;
    this.#batching = true;
    batch.write();
    this.#batching = false;
  }

  event(text: string, seq: number): void {
    if (this.blocked) throw new Error("An event was sent to a blocked outlet");
    if (this.#batching) this.#take(text, seq);
    else this.burst([text], seq);
  }

  burst(texts: readonly string[], first: number): void {
    if (this.blocked) throw new Error("A burst was sent to a blocked outlet");
    this.batches++;
    this.bursts++;
    for (const [index, text] of texts.entries()) this.#take(text, first + index);
  }

  notice(notice: Notice): void {
    this.sent.push(notice);
  }

  close(close: Close): void {
    this.closed = close;
  }

  #take(text: string, seq: number): void {
    if (this.faulty) throw new Error("a fault");
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
