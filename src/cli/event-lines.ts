import type { Gap, Item, TopicEvent } from "../client/index.ts";
import { harmless, type Style } from "./style.ts";

type RawEvent = TopicEvent<string>;
type RawItem = Item<string>;

/** An item as a line of JSON. Its payload is as it was published; white space in it that ends lines becomes blanks. */
export function jsonLine(item: RawItem): string {
  if (item.type === "gap") return JSON.stringify(item);
  const { payload, ...rest } = item;
  return `${JSON.stringify(rest).slice(0, -1)},"payload":${onOneLine(payload)}}`;
}

/** JSON on one line. Outside its strings a line's end means nothing, and inside there is none (RFC 8259 §2, §7). */
export function onOneLine(json: string): string {
  return json.replace(/[\r\n]/g, " ");
}

/** Why events are missing, for people. */
const REASONS: Record<Gap["reason"], string> = {
  slow: "this client did not take them in time",
  missed: "history had lost them",
  skipped: "only the latest was asked for",
  queue: "what reads this output did not take them in time",
  epoch: "the topic has begun another life",
};

/** Which events are missing, and why. */
export function gapText({ first_seq, last_seq, reason, status }: Gap): string {
  if (last_seq === undefined) return `what came from ${first_seq} on is not known: ${REASONS[reason]}`;
  const which = `${first_seq} to ${last_seq}`;
  return status === "filled" ? `${which} came late` : `${which} are ${status}: ${REASONS[reason]}`;
}

/** Writes items for people, in columns that grow with what comes. */
export class PlainLines {
  readonly #style: Style;
  readonly #showsTopic: boolean;
  #topicWidth = 0;
  #seqWidth = 0;

  constructor(style: Style, showsTopic: boolean) {
    this.#style = style;
    this.#showsTopic = showsTopic;
  }

  line(item: RawItem): string {
    return item.type === "event" ? this.#event(item) : this.#gap(item);
  }

  #event({ topic, seq, ts, payload }: RawEvent): string {
    return [
      this.#style("dim", clockText(ts)),
      ...this.#topic(topic),
      this.#style("cyan", this.#seq(String(seq))),
      harmless(onOneLine(payload)),
    ].join("  ");
  }

  #gap(gap: Gap): string {
    const text = this.#style("yellow", `gap  ${gapText(gap)}`);
    return [...(this.#showsTopic ? [harmless(gap.topic)] : []), text].join("  ");
  }

  #topic(topic: string): string[] {
    if (!this.#showsTopic) return [];
    const text = harmless(topic);
    const width = Bun.stringWidth(text);
    this.#topicWidth = Math.max(this.#topicWidth, width);
    return [text + " ".repeat(this.#topicWidth - width)];
  }

  #seq(text: string): string {
    this.#seqWidth = Math.max(this.#seqWidth, text.length);
    return text.padStart(this.#seqWidth);
  }
}

/** The time of a clock on the wall here, to the millisecond. */
function clockText(ts: string): string {
  const time = new Date(ts);
  const parts = [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => String(part).padStart(2, "0"));
  return `${parts.join(":")}.${String(time.getMilliseconds()).padStart(3, "0")}`;
}
