/** How many frames of one client are handled in one turn of the event loop. The others wait, and the client is read no further. */
export const FRAMES_A_TURN = 256;

/** How long frames wait at least whose client has to read its answers first, in milliseconds. */
const UNREAD_WAIT_MS = 5;

/** A client, as far as its frames are concerned. */
export interface Sender {
  /** Frames that wait, the oldest first. What has come from a client that is gone is handled; nothing of one that is closed is. */
  readonly waiting: Frame[];
  /** The turn in which frames of it were handled last, and how many. */
  turn: number;
  handled: number;
  /** Whether it has to read its answers before more of its frames are handled. */
  readonly hasUnread: boolean;
  /** Stops or resumes reading from it. */
  crowd(on: boolean): void;
}

export type Frame = string | Buffer;

/**
 * Shares the turns of the event loop out among clients. One read of a socket brings up to half a mebibyte of frames, tens of
 * thousands where they are short, and the runtime hands them over without a pause.
 */
export class Intake<S extends Sender> {
  readonly #handle: (sender: S, frame: Frame) => void;
  readonly #failed: (cause: unknown) => void;
  readonly #crowded = new Set<S>();
  #turn = 0;
  #scheduled = false;

  /** @param failed told of a fault while frames were handled that had waited */
  constructor(handle: (sender: S, frame: Frame) => void, failed: (cause: unknown) => void) {
    this.#handle = handle;
    this.#failed = failed;
  }

  /** Handles a frame, now or in a later turn, in the order in which they come. */
  take(sender: S, frame: Frame): void {
    this.#schedule();
    if (sender.waiting.length === 0 && this.#mayHandle(sender)) return this.#handle(sender, frame);
    if (sender.waiting.push(frame) > 1) return;
    sender.crowd(true);
    this.#crowded.add(sender);
  }

  #mayHandle(sender: S): boolean {
    if (sender.turn !== this.#turn) {
      sender.turn = this.#turn;
      sender.handled = 0;
    }
    return sender.handled++ < FRAMES_A_TURN;
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
    for (const sender of this.#crowded) {
      try {
        if (sender.hasUnread) continue;
        isUnread = false;
        this.#handleSome(sender);
      } catch (cause) {
        this.#failed(cause);
      }
    }
    if (this.#crowded.size === 0) return;
    if (isUnread) setTimeout(() => this.#schedule(), UNREAD_WAIT_MS).unref();
    else this.#schedule();
  };

  #handleSome(sender: S): void {
    const { waiting } = sender;
    let count = 0;
    while (count < waiting.length && !sender.hasUnread && this.#mayHandle(sender)) {
      const frame = waiting[count++];
      if (frame !== undefined) this.#handle(sender, frame);
    }
    waiting.splice(0, count);
    if (waiting.length > 0) return;
    this.#crowded.delete(sender);
    sender.crowd(false);
  }
}
