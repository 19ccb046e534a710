import { useEffect, useState } from "preact/hooks";
import type { HistoryOptions, HistoryPage, TopicEvent } from "../client/index.ts";
import { count } from "./format.ts";
import { Message } from "./message.tsx";
import { shortened } from "./rows.ts";
import type { RawClient } from "./session.ts";

/** How many messages are asked for at once. */
const PAGE = 50;

type Whole = Pick<HistoryPage<string>, "events" | "oldest_seq" | "seq">;

/** All of what was asked for, in as many answers as the server makes of it. */
async function whole(client: RawClient, topic: string, options: HistoryOptions): Promise<Whole> {
  const first = await client.history(topic, options);
  const until = options.until ?? first.seq;
  const events = first.events.map(shortened);
  let page = first;
  for (let last = events.at(-1); page.more && last !== undefined; last = events.at(-1)) {
    page = await client.history(topic, { since: { epoch: last.epoch, seq: last.seq }, until });
    events.push(...page.events.map(shortened));
  }
  return { ...first, events };
}

type Shown = { events: readonly TopicEvent<string>[]; oldest: number; newest: number };

/** What history holds, newest first, a page at a time. */
export function History({ client, topic }: { client: RawClient; topic: string }) {
  const [shown, setShown] = useState<Shown>();
  const [problem, setProblem] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const load = async (ask: () => Promise<Whole>, before: readonly TopicEvent<string>[]): Promise<void> => {
    setBusy(true);
    try {
      const { events, oldest_seq, seq } = await ask();
      setShown({ events: [...before, ...events.reverse()], oldest: oldest_seq, newest: seq });
      setProblem(undefined);
    } catch (cause) {
      setProblem(cause instanceof Error ? cause.message : String(cause));
    }
    setBusy(false);
  };
  const newest = () => load(() => whole(client, topic, { last: PAGE }), []);
  useEffect(() => void newest(), [client, topic]);

  const oldestShown = shown?.events.at(-1);
  const older = async (): Promise<void> => {
    if (shown === undefined || oldestShown === undefined) return;
    const { epoch, seq } = oldestShown;
    const since = { epoch, seq: Math.max(0, seq - 1 - PAGE) };
    await load(() => whole(client, topic, { since, until: seq - 1 }), shown.events);
  };
  const isMore = shown !== undefined && oldestShown !== undefined && oldestShown.seq > shown.oldest;
  return (
    <div class="history">
      <div class="bar">
        <button type="button" disabled={isBusy} onClick={() => void newest()}>
          Read again
        </button>
        <p class="pace" role="status">
          {shown && summary(shown)}
        </p>
      </div>
      {problem !== undefined && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {shown?.events.length === 0 && <p class="empty">History holds no message of this topic.</p>}
      {shown !== undefined && shown.events.length > 0 && (
        <ol class="messages" aria-label="History, newest first" tabindex={0}>
          {shown.events.map((event) => (
            <li key={`${event.epoch}:${event.seq}`}>
              <Message event={event} />
            </li>
          ))}
        </ol>
      )}
      {isMore && (
        <button type="button" class="more" disabled={isBusy} onClick={() => void older()}>
          Older messages
        </button>
      )}
    </div>
  );
}

function summary({ events, oldest, newest }: Shown): string {
  if (events.length === 0) return "";
  return `${count(events.length)} shown. History holds ${count(oldest)} to ${count(newest)}.`;
}
