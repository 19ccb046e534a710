import type { Published } from "../client/index.ts";
import type { RawClient } from "./server.ts";

/** How many publishes may wait for their acks, and how many characters of payload unless a single one has more. */
const MOST_UNDER_WAY = 256;
const MOST_CHARACTERS = 4 * 1024 * 1024;

/** What a client needs for it: a frame has some more characters than its payload. */
export const PUBLISHER_LIMITS = { maxPending: 2 * MOST_UNDER_WAY, maxPendingCharacters: 64 * 1024 * 1024 };

/** What is published, and what it is called if it fails. */
export type Publish = { topic: string; payload: string; id?: string | undefined; name: string };

/** The first publish that failed. */
export type FailedPublish = { cause: unknown; publish: Publish };

/** Publishes in order, some hundred at a time. After the first that fails nothing more is published. */
export class Publisher {
  readonly #client: RawClient;
  readonly #acked: (published: Published) => void;
  #underWay = 0;
  #characters = 0;
  #failed: FailedPublish | undefined;
  #wake: (() => void) | undefined;

  constructor(client: RawClient, acked: (published: Published) => void) {
    this.#client = client;
    this.#acked = acked;
  }

  /** The first that failed. */
  get failed(): FailedPublish | undefined {
    return this.#failed;
  }

  /** Resolves once there is room for more; with false if one has failed. */
  async publish(publish: Publish): Promise<boolean> {
    const { topic, payload, id } = publish;
    while (this.#isFull(payload.length)) await this.#change();
    if (this.#failed !== undefined) return false;
    this.#underWay++;
    this.#characters += payload.length;
    void this.#client
      .publish(topic, payload, { id })
      .then(this.#acked, (cause: unknown) => (this.#failed ??= { cause, publish }))
      .finally(() => {
        this.#underWay--;
        this.#characters -= payload.length;
        this.#wake?.();
      });
    return true;
  }

  /** Resolves once every publish is settled. */
  async settled(): Promise<void> {
    while (this.#underWay > 0) await this.#change();
  }

  #isFull(length: number): boolean {
    if (this.#failed !== undefined || this.#underWay === 0) return false;
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
