/** How many frames of one client are handled in one turn of the event loop. The others wait, and the client is read no further. */
export const FRAMES_A_TURN = 256;

/** How long frames wait at least whose client has to read its answers first, in milliseconds. */
const UNREAD_WAIT_MS = 5;

/** The memory that a frame takes that waits, besides its characters, in bytes. */
const OVERHEAD_BYTES = 48;

/** A client, as far as its frames are concerned. */
export interface Sender {
  /**
   * Frames that wait, the oldest first. What has come from a client that is gone is handled, if there is room for it to wait;
   * nothing of one that is closed is.
   */
  readonly waiting: Frame[];
  /** Whether it is connected. */
  readonly open: boolean;
  /** The turn in which frames of it were handled last, and how many. */
  turn: number;
  handled: number;
  /** Whether it has to read its answers before more of its frames are handled. */
  readonly hasUnread: boolean;
  /** Stops or resumes reading from it. */
  crowd(on: boolean): void;
}

export type Frame = string | Buffer;

export type IntakePorts<S> = {
  handle(sender: S, frame: Frame): void;
  /** There was a fault while frames were handled that had waited. */
  failed(cause: unknown): void;
  /** Too much waits of all, and this one neither reads its answers nor stops sending: it is to be cut off. */
  cut(sender: S): void;
  /** Too much waits of all, and what this one had sent before it went away is not handled. */
  dropped(sender: S): void;
};

/**
 * Shares the turns of the event loop out among clients. One read of a socket brings up to half a mebibyte of frames, tens of
 * thousands where they are short, and the runtime hands them over without a pause.
 *
 * What waits takes no more than `mostBytes`. Beyond that, what clients have left behind that are gone is dropped. If that is
 * not enough, frames are handled as they come, and the others wait meanwhile.
 */
export class Intake<S extends Sender> {
  readonly #ports: IntakePorts<S>;
  readonly #mostBytes: number;
  /** Those of whom frames wait, and how many bytes these take. */
  readonly #crowded = new Map<S, number>();
  #bytes = 0;
  #turn = 0;
  #scheduled = false;

  constructor(ports: IntakePorts<S>, mostBytes: number) {
    this.#ports = ports;
    this.#mostBytes = mostBytes;
  }

  /** Handles a frame, now or in a later turn, in the order in which they come. */
  take(sender: S, frame: Frame): void {
    this.#schedule();
    if (sender.waiting.length === 0 && this.#mayHandle(sender)) return this.#ports.handle(sender, frame);
    const bytes = sizeOf(frame);
    if (this.#bytes + bytes > this.#mostBytes) this.#dropGone(bytes);
    if (this.#bytes + bytes > this.#mostBytes) return this.#takeAtOnce(sender, frame);
    const before = this.#crowded.get(sender);
    if (before === undefined) sender.crowd(true);
    this.#bytes += bytes;
    this.#crowded.set(sender, (before ?? 0) + bytes);
    sender.waiting.push(frame);
  }

  #mayHandle(sender: S): boolean {
    if (sender.turn !== this.#turn) {
      sender.turn = this.#turn;
      sender.handled = 0;
    }
    return sender.handled++ < FRAMES_A_TURN;
  }

  /** Drops what clients have left behind, those that came first before others, until there is room. */
  #dropGone(bytes: number): void {
    for (const sender of this.#crowded.keys()) {
      if (this.#bytes + bytes <= this.#mostBytes) return;
      if (sender.open) continue;
      sender.waiting.length = 0;
      this.#forgetIfDone(sender);
      this.#ports.dropped(sender);
    }
  }

  /** Handles all that waits of a client, and one more frame of it. */
  #takeAtOnce(sender: S, frame: Frame): void {
    this.#handleWhile(sender, () => true);
    if (sender.hasUnread) {
      sender.waiting.length = 0;
      this.#forgetIfDone(sender);
      return this.#ports.cut(sender);
    }
    this.#ports.handle(sender, frame);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#nextTurn);
  }

  readonly #nextTurn = (): void => {
    this.#scheduled = false;
    this.#turn++;
    let isUnread = this.#crowded.size > 0;
    for (const sender of this.#crowded.keys()) {
      try {
        if (sender.hasUnread) continue;
        isUnread = false;
        this.#handleWhile(sender, () => this.#mayHandle(sender));
      } catch (cause) {
        this.#ports.failed(cause);
      }
    }
    if (this.#crowded.size === 0) return;
    if (isUnread) setTimeout(() => this.#schedule(), UNREAD_WAIT_MS).unref();
    else this.#schedule();
  };

  #handleWhile(sender: S, mayGoOn: () => boolean): void {
    const { waiting } = sender;
    let count = 0;
    let bytes = 0;
    while (count < waiting.length && !sender.hasUnread && mayGoOn()) {
      const frame = waiting[count++];
      if (frame === undefined) continue;
      bytes += sizeOf(frame);
      this.#ports.handle(sender, frame);
    }
    waiting.splice(0, count);
    this.#bytes -= bytes;
    this.#crowded.set(sender, (this.#crowded.get(sender) ?? 0) - bytes);
    this.#forgetIfDone(sender);
  }

  /** Goes on reading from a client of whom nothing waits any more. What a close took away is not counted any more, either. */
  #forgetIfDone(sender: S): void {
    if (sender.waiting.length > 0) return;
    this.#bytes -= this.#crowded.get(sender) ?? 0;
    this.#crowded.delete(sender);
    sender.crowd(false);
  }
}

function sizeOf(frame: Frame): number {
  return OVERHEAD_BYTES + frame.length;
}
