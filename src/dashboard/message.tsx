import type { TopicEvent } from "../client/index.ts";
import { Component } from "preact";
import { useRef, useState } from "preact/hooks";
import { CopyButton } from "./copy.tsx";
import { count, time } from "./format.ts";
import { MOST_SHOWN } from "./rows.ts";

/** How much of a payload is shown in its row. */
const IN_A_ROW = 400;

type Props = { event: TopicEvent<string>; isFetched?: boolean };

/** A message in one row, which opens to all of it. An event never changes: its row is drawn once. */
export class Message extends Component<Props> {
  override shouldComponentUpdate({ event }: Props): boolean {
    return event !== this.props.event;
  }

  override render({ event, isFetched = false }: Props) {
    return <MessageRow event={event} isFetched={isFetched} />;
  }
}

function MessageRow({ event, isFetched }: Required<Props>) {
  const [isOpen, setOpen] = useState(false);
  const whole = useRef<HTMLPreElement>(null);
  const { seq, ts, id, traceparent, payload } = event;
  return (
    <details
      class={isFetched ? "message fetched" : "message"}
      onToggle={({ currentTarget }) => setOpen(currentTarget.open)}
    >
      <summary>
        <span class="seq number">{seq}</span>
        <time dateTime={ts}>{time(ts)}</time>
        <code class="payload">{payload.slice(0, IN_A_ROW)}</code>
      </summary>
      {isOpen && (
        <div class="whole">
          <div class="panel-head">
            <p class="facts">
              Published {ts} under the id {id}
              {traceparent !== undefined && `, in the trace ${traceparent}`}
              {payload.length > MOST_SHOWN && `. Only its first ${count(MOST_SHOWN)} characters are kept here`}
            </p>
            <CopyButton text={payload} label={`Copy message ${seq}`} element={whole} />
          </div>
          <pre ref={whole}>{pretty(payload)}</pre>
        </div>
      )}
    </details>
  );
}

/** Indented, if that keeps every digit. */
function pretty(payload: string): string {
  if (payload.length > MOST_SHOWN) return payload;
  try {
    const value: unknown = JSON.parse(payload);
    const isExact = JSON.stringify(value) === payload;
    return isExact ? JSON.stringify(value, undefined, 2) : payload;
  } catch {
    // It is nested more deeply than can be written back.
    return payload;
  }
}
