import type { Received, Talk } from "./talk.ts";
import { memberOf, print, type Json } from "./json.ts";

type Acked = { readonly topic: string; readonly first: number; readonly count: number };

/** Subscribed to what the inputs publish to: each payload must come, byte for byte. */
export class Witness {
  readonly talk: Talk;
  readonly #topics: readonly string[];
  /** The payloads that must come, by topic and number; as a value where the text that was sent is not known. */
  readonly #due = new Map<string, { text: string } | { value: unknown }>();

  private constructor(talk: Talk, topics: readonly string[]) {
    this.talk = talk;
    this.#topics = topics;
  }

  static async subscribe(talk: Talk, topics: readonly string[]): Promise<Witness> {
    for (const topic of topics) await talk.send({ type: "subscribe", topic, client_id: "the witness" });
    await talk.until(() => talk.received.length === topics.length);
    talk.received.length = 0;
    return new Witness(talk, topics);
  }

  /** Notes what a frame has published. @param tree the frame as it was sent, where that is known */
  note(frame: Readonly<Record<string, unknown>>, tree: Json | undefined, { topic, first, count }: Acked): void {
    const values: readonly unknown[] = Array.isArray(frame["messages"]) ? frame["messages"] : [frame["message"]];
    if (count !== values.length) throw new Error(`${values.length} messages are acknowledged as ${count}`);
    if (!this.#topics.includes(topic)) return;
    const batch = memberOf(tree, "messages");
    const isBatch = typeof batch === "object" && "items" in batch;
    for (const [index, message] of values.entries()) {
      const payload = memberOf(isBatch ? batch.items[index] : memberOf(tree, "message"), "payload");
      const due = payload === undefined ? { value: payloadIn(message) } : { text: print(payload) };
      this.#due.set(keyOf(topic, first + index), due);
    }
  }

  /** Waits for all that is due. */
  async check(): Promise<void> {
    const { received } = this.talk;
    const left = new Set(this.#due.keys());
    let seen = 0;
    const all = await this.talk.until(() => {
      for (; seen < received.length; seen++) left.delete(eventKey(received[seen]));
      return left.size === 0;
    });
    if (!all) throw new Error(`Not delivered: ${[...left].join(", ")}`);
    for (const one of received.splice(0)) {
      if (one.frame.type !== "event") throw new Error(`The witness is told ${one.text}`);
      const due = this.#due.get(eventKey(one));
      const payload = payloadText(one);
      if (due === undefined) continue;
      const same =
        "text" in due ? payload === due.text : JSON.stringify(JSON.parse(payload)) === JSON.stringify(due.value);
      if (!same) throw new Error(`A payload ${JSON.stringify(due)} was delivered as ${payload}`);
    }
    this.#due.clear();
  }
}

const keyOf = (topic: string, seq: number) => `${seq} ${topic}`;

function eventKey(received: Received | undefined): string {
  const frame = received?.frame;
  return frame?.type === "event" ? keyOf(frame.topic, frame.seq) : "";
}

function payloadIn(message: unknown): unknown {
  return typeof message === "object" && message !== null && "payload" in message ? message.payload : undefined;
}

/** What stands between the id and the end of an event. */
function payloadText({ text }: Received): string {
  const [, payload = ""] =
    /^\{"type":"event",.*?"message":\{"id":"[0-9A-Fa-f-]{36}","payload":(.*)\}\}$/s.exec(text) ?? [];
  return payload;
}
