import { topicText, type TopicText } from "../../protocol/encode.ts";
import type { TopicKeys } from "./keys.ts";
import type { Heard } from "./wire.ts";

/** That a `client_id` is subscribed here, and whose it is. A node never gives two claims one number. */
export type HeldClaim = { readonly number: number; readonly owner: string | undefined };

/** A topic that this node has used. */
export class KnownTopic {
  readonly name: string;
  readonly keys: TopicKeys;
  /** Distinguishes the topic from one that is created again under its name. New epochs do not change it. */
  born: string;
  text: TopicText;
  /** The newest message that the broker has; undefined while the broker does not know the topic. */
  head: number | undefined;
  /** The newest message of this epoch that was acknowledged here. */
  acked = 0;
  /** The client ids that are subscribed here. */
  readonly claims = new Map<string, HeldClaim>();
  /** Resolves once the channel is heard and the broker has what came before; undefined while it is not followed. */
  following: Promise<void> | undefined;
  /** What was heard and not handed over yet, the oldest first. */
  readonly inbox: Heard[] = [];
  /** Its characters. */
  inboxLength = 0;
  /** Whether the inbox was emptied for its length, and the stream has to be read. */
  overflowed = false;
  /** How many messages at the front of the inbox were there when the stream was read because one did not come next. */
  doubted = 0;
  /** Whether it was deleted, and ends once the inbox is empty. */
  deleted = false;
  /** Who waits until the broker has the message of that number. */
  readonly waiting = new Set<{ readonly seq: number; resolve(): void }>();
  /** The catching up that is under way. */
  catchingUp: Promise<void> | undefined;
  /** Whether it has to be done once more. */
  again = false;
  /** Whether it is done because a channel may have lost something. */
  repairs = false;
  /** The turn in which messages were handed over last, and how many. */
  turn = 0;
  handed = 0;
  /** For how many looks nobody has been subscribed to it. */
  idleLooks = 0;
  /** Whether it is gone, or another one has its name. */
  gone = false;

  constructor(name: string, keys: TopicKeys, born: string, epoch: string) {
    this.name = name;
    this.keys = keys;
    this.born = born;
    this.text = topicText(name, epoch);
  }

  /** Whether a topic that was born as this is the same. One that was put back by a node that did not know it has no such word. */
  isSame(born: string): boolean {
    return born === this.born || born === "";
  }

  /** The newest message that this node knows of. */
  get newest(): number {
    return Math.max(this.head ?? 0, this.acked);
  }

  /** Goes on in another epoch, whose first message comes after `base`. */
  renew(epoch: string, base: number): void {
    this.text = topicText(this.name, epoch);
    this.acked = base;
  }
}
