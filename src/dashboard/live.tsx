import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { count, plural } from "./format.ts";
import { Message } from "./message.tsx";
import { useValue } from "./observable.ts";
import type { Pace, GapRow, Tail } from "./tail.ts";

/** Messages of a topic as they come. */
export function Live({ tail }: { tail: Tail }) {
  const [filter, setFilter] = useState("");
  const [isPaused, setPaused] = useState(false);
  const [isScrolled, setScrolled] = useState(false);
  const list = useRef<HTMLOListElement>(null);
  const rows = useValue(tail.rows);
  const held = useValue(tail.held);
  // What one reads does not move away.
  useLayoutEffect(() => tail.hold(isPaused || isScrolled), [tail, isPaused, isScrolled]);
  useEffect(() => tail.filter(filter), [tail, filter]);
  const newest = () => {
    list.current?.scrollTo({ top: 0 });
    setPaused(false);
  };
  return (
    <div class="live">
      <div class="bar">
        <input
          type="search"
          placeholder="Filter by text"
          aria-label="Show only messages that contain this text"
          value={filter}
          onInput={({ currentTarget }) => setFilter(currentTarget.value)}
        />
        <button type="button" aria-pressed={isPaused} onClick={() => setPaused(!isPaused)}>
          {isPaused ? "Resume" : "Pause"}
        </button>
        <button type="button" onClick={() => tail.clear()}>
          Clear
        </button>
        <PaceLine tail={tail} />
      </div>
      {held > 0 && (
        <button type="button" class="held" onClick={newest}>
          {plural(held, "newer message")}: show
        </button>
      )}
      <ol
        ref={list}
        class="messages"
        aria-label="Messages, newest first"
        tabindex={0}
        onScroll={({ currentTarget }) => setScrolled(currentTarget.scrollTop > 8)}
      >
        {rows.map((row) => (
          <li key={row.key}>
            {row.kind === "event" ? <Message event={row.event} /> : <GapView row={row} tail={tail} />}
          </li>
        ))}
      </ol>
      {rows.length === 0 && (
        <p class="empty">
          {filter === "" ? "No message yet. The next one appears here." : "No message matches the filter."}
        </p>
      )}
    </div>
  );
}

function PaceLine({ tail }: { tail: Tail }) {
  const pace = useValue(tail.pace);
  const { is, cause } = useValue(tail.state);
  const isAway = cause?.code === "TOPIC_NOT_FOUND" || cause?.code === "TOPIC_DELETED";
  if (isAway) return <p class="pace">Waiting for the topic</p>;
  if (is === "ended") return <p class="pace problem">{cause?.message ?? "The subscription has ended"}</p>;
  if (is !== "live") return <p class="pace">Connecting</p>;
  return <p class="pace">{paceOf(pace)}</p>;
}

function paceOf({ arrived, shown }: Pace): string {
  if (shown >= arrived) return `${plural(arrived, "message")} a second`;
  return `Sampled: showing ${count(shown)} of ${count(arrived)} a second`;
}

const REASONS = {
  slow: "this page did not take them in time",
  missed: "history had lost them when this page came back",
  skipped: "only the latest was asked for",
  queue: "this page did not read them in time",
  epoch: "the topic began anew, and what came before that is not known",
};

/** Messages that are missing, in their place, and what history has of them. */
function GapView({ row, tail }: { row: GapRow; tail: Tail }) {
  const { gap, fetch } = row;
  const { first_seq, last_seq } = gap;
  const size = last_seq === undefined ? undefined : last_seq - first_seq + 1;
  return (
    <div class="gap">
      <div class="gap-head">
        <p>
          <strong>Gap</strong>{" "}
          {last_seq === undefined || size === undefined
            ? `after ${first_seq - 1}`
            : `of ${plural(size, "message")}, ${first_seq} to ${last_seq}`}
          : {REASONS[gap.reason]}.
        </p>
        {(fetch.is === "offered" || fetch.is === "failed") && (
          <button
            type="button"
            onClick={() => void tail.fetch(row)}
            aria-label={`Fetch messages ${first_seq} to ${last_seq ?? ""}`}
          >
            Fetch
          </button>
        )}
      </div>
      <p class="gap-note" role="status">
        {noteOf(row, size)}
      </p>
      {fetch.is === "done" && (
        <ol class="found" aria-label={`Messages fetched from history, ${first_seq} to ${last_seq ?? ""}`}>
          {fetch.found.map(({ key, event }) => (
            <li key={key}>
              <Message event={event} isFetched />
            </li>
          ))}
        </ol>
      )}
    </div>
  );
}

function noteOf({ fetch }: GapRow, size = 0): string {
  if (fetch.is === "under way") return "Asking history";
  if (fetch.is === "failed") return `Cannot fetch them: ${fetch.why}.`;
  if (fetch.is !== "done") return "";
  const { found, lost } = fetch;
  const rest = size - found.length - lost;
  const parts = [
    found.length > 0 ? `${plural(found.length, "message")} fetched from history.` : "",
    lost > 0 ? `History has ${count(lost)} of them no more.` : "",
    rest > 0 ? `${count(rest)} more are in the history tab, as far as history has them.` : "",
  ];
  return parts.filter((part) => part !== "").join(" ");
}
