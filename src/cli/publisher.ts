import type { Published } from "../client/index.ts";
import type { RawClient } from "./server.ts";

/** How many publishes may wait for their acks, and how many characters of payload unless a single one has more. */
const MOST_UNDER_WAY = 256;
const MOST_CHARACTERS = 4 * 1024 * 1024;

/** What a client needs for it: a frame has some more characters than its payload. */
export const PUBLISHER_LIMITS = { maxPending: 2 * MOST_UNDER_WAY, maxPendingCharacters: 64 * 1024 * 1024 };

/** What is published, and what it is called if it fails. */
export type Publish = { topic: string; payload: string; id?: string | undefined; name: string };

export type Acked = (published: Published) => void;

/** The first publish that failed. */
type FailedPublish = { cause: unknown; publish: Publish };

/** Publishes in order, some hundred at a time. After the first that fails nothing more is published. */
export class Publisher {
  readonly #client: RawClient;
  readonly #acked: Acked;
  readonly #failure = new AbortController();
  /** Aborted when nothing more will be published: one has failed, or the command was interrupted. */
  readonly signal: AbortSignal;
  #underWay = 0;
  #characters = 0;
  #failed: FailedPublish | undefined;
  #wake: (() => void) | undefined;

  constructor(client: RawClient, interrupt: AbortSignal, acked: Acked) {
    this.#client = client;
    this.#acked = acked;
    this.signal = AbortSignal.any([interrupt, this.#failure.signal]);
  }

  /** The first that failed. */
  get failed(): FailedPublish | undefined {
    return this.#failed;
  }

  /** Resolves once there is room for more. Once the {@link signal} is aborted, it does nothing. */
  async publish(publish: Publish): Promise<void> {
    const { topic, payload, id } = publish;
    while (this.#isFull(payload.length)) await this.#change();
    if (this.signal.aborted) return;
    this.#underWay++;
    this.#characters += payload.length;
    void this.#client
      .publish(topic, payload, { id })
      .then(this.#acked, (cause: unknown) => {
        this.#failed ??= { cause, publish };
        this.#failure.abort();
      })
      .finally(() => {
        this.#underWay--;
        this.#characters -= payload.length;
        this.#wake?.();
      });
  }

  /** Resolves once every publish is settled. */
  async settled(): Promise<void> {
    while (this.#underWay > 0) await this.#change();
  }

  #isFull(length: number): boolean {
    if (this.signal.aborted || this.#underWay === 0) return false;
    return this.#underWay >= MOST_UNDER_WAY || this.#characters + length > MOST_CHARACTERS;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve));
  }
}

/** The JSON of a payload that people wrote: as it stands there if it is JSON, else as a JSON string. */
export function payloadFrom(text: string): string {
  try {
    JSON.parse(text);
    return text;
  } catch {
    return JSON.stringify(text);
  }
}
