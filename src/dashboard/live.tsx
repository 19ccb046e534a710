import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { count, plural } from "./format.ts";
import { Message } from "./message.tsx";
import { useValue } from "./observable.ts";
import { notShownBetween, type GapRow } from "./rows.ts";
import type { Pace, Tail, TailState } from "./tail.ts";

/** Messages of a topic as they come. */
export function Live({ tail }: { tail: Tail }) {
  const [filter, setFilter] = useState("");
  const [isPaused, setPaused] = useState(false);
  const [isScrolled, setScrolled] = useState(false);
  const list = useRef<HTMLOListElement>(null);
  const rows = useValue(tail.rows);
  const held = useValue(tail.held);
  const state = useValue(tail.state);
  const isHeld = isPaused || isScrolled;
  // What one reads does not move away.
  useLayoutEffect(() => tail.hold(isHeld), [tail, isHeld]);
  useEffect(() => tail.filter(filter), [tail, filter]);
  const newest = () => {
    list.current?.scrollTo({ top: 0 });
    setPaused(false);
  };
  if (tail.isForbidden && rows.length === 0)
    return <p class="empty">This credential may not read the messages of this topic.</p>;
  return (
    <div class="live">
      <div class="bar">
        <input
          type="search"
          placeholder="Filter by payload text"
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
        {held > 0 && (
          <button type="button" class="held" onClick={newest}>
            {plural(held, "newer message")}: show
          </button>
        )}
        <PaceLine tail={tail} isHeld={isHeld} isFiltered={filter !== ""} />
      </div>
      <ol
        ref={list}
        class="messages"
        aria-label="Messages, newest first"
        tabindex={0}
        onScroll={({ currentTarget }) => setScrolled(currentTarget.scrollTop > 8)}
      >
        {rows.map((row, index) => (
          <li key={row.key}>
            {row.kind === "event" ? <Message event={row.event} /> : <GapView row={row} tail={tail} />}
            {filter === "" && <NotShown count={notShownBetween(row, rows[index + 1])} />}
          </li>
        ))}
      </ol>
      {rows.length === 0 && <p class="empty">{emptyWords(state, filter !== "")}</p>}
    </div>
  );
}

function emptyWords({ is }: TailState, isFiltered: boolean): string {
  if (isFiltered) return "No message matches the filter.";
  return is === "live" ? "No message yet. The next one appears here." : "No message to show.";
}

/** What was left out for want of time is not lost: it stands between the rows, but is no gap. */
function NotShown({ count: left }: { count: number }) {
  return left === 0 ? null : <p class="not-shown">{count(left)} not shown</p>;
}

function PaceLine({ tail, isHeld, isFiltered }: { tail: Tail; isHeld: boolean; isFiltered: boolean }) {
  const pace = useValue(tail.pace);
  const { is, cause } = useValue(tail.state);
  const isAway = cause?.code === "TOPIC_NOT_FOUND" || cause?.code === "TOPIC_DELETED";
  if (isAway) return <p class="pace">Waiting for the topic</p>;
  if (tail.isForbidden) return <p class="pace problem">This credential may not read on.</p>;
  if (is === "ended") return <p class="pace problem">{cause?.message ?? "The subscription has ended"}</p>;
  if (is !== "live") return <p class="pace">Connecting</p>;
  return <p class="pace">{isHeld ? "Paused" : paceOf(pace, isFiltered ? "match" : "message")}</p>;
}

function paceOf({ arrived, shown }: Pace, noun: "match" | "message"): string {
  if (shown < arrived) return `Sampled: showing ${count(shown)} of ${count(arrived)} a second`;
  return `${noun === "match" ? matches(arrived) : plural(arrived, noun)} a second`;
}

function matches(number: number): string {
  return number === 1 ? "1 match" : `${count(number)} matches`;
}

const REASONS = {
  slow: "this page did not take them in time",
  missed: "history had lost them when this page came back",
  skipped: "only the latest was asked for",
  queue: "this page did not read them in time",
};

/** Messages that are missing, in their place, and what history has of them. */
function GapView({ row, tail }: { row: GapRow; tail: Tail }) {
  const { gap, fetch } = row;
  const { first_seq, last_seq, reason } = gap;
  if (reason === "epoch" || last_seq === undefined) {
    return (
      <div class="gap">
        <p class="gap-head">
          <span>
            <strong>New epoch</strong>: the topic began anew here.{" "}
            {first_seq > 1
              ? `Messages that came after ${first_seq - 1} in the epoch before may be missing.`
              : "Messages of the epoch before may be missing."}
          </span>
        </p>
      </div>
    );
  }
  return (
    <div class="gap">
      <div class="gap-head">
        <p>
          <strong>Gap</strong> of {plural(last_seq - first_seq + 1, "message")}, {first_seq} to {last_seq}:{" "}
          {REASONS[reason]}.
        </p>
        {(fetch.is === "offered" || fetch.is === "failed") && (
          <button
            type="button"
            onClick={() => void tail.fetch(row)}
            aria-label={`Fetch messages ${first_seq} to ${last_seq}`}
          >
            Fetch
          </button>
        )}
      </div>
      <p class="gap-note" role="status">
        {noteOf(row)}
      </p>
      {fetch.is === "done" && (
        <ol class="found" aria-label={`Messages fetched from history, ${first_seq} to ${last_seq}`}>
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

function noteOf({ fetch }: GapRow): string {
  if (fetch.is === "under way") return "Asking history";
  if (fetch.is === "failed") return `Cannot fetch them: ${fetch.why}.`;
  if (fetch.is !== "done") return "";
  const { found, lost } = fetch;
  const parts = [
    found.length > 0 ? `${plural(found.length, "message")} fetched from history.` : "",
    lost > 0 ? `${plural(lost, "message")} lost: history has ${lost === 1 ? "it" : "them"} no more.` : "",
  ];
  return parts.filter((part) => part !== "").join(" ");
}
