import { count, duration, plural, transport as nameOf, words } from "./format.ts";
import { Balance } from "./ledger.tsx";
import { useValue } from "./observable.ts";
import type { Ledger, Subscriber } from "./read.ts";
import { PAGE, type TopicWatch } from "./topic-watch.ts";
import { Unanswered } from "./unanswered.tsx";

/** Who subscribes to a topic, and what became of the events that were due to each. */
export function Subscribers({ watch, ownId }: { watch: TopicWatch; ownId: string | undefined }) {
  const state = useValue(watch.state);
  const after = useValue(watch.after);
  if (state.is !== "there") return <p class="empty">Loading</p>;
  const { subscribers, total, unanswered } = state.detail;
  if (total === 0 && unanswered > 0) return <Unanswered nodes={unanswered} />;
  if (total === 0) return <p class="empty">Nobody subscribes to this topic.</p>;
  const last = subscribers.at(-1)?.clientId;
  const isMore = subscribers.length === PAGE && total > PAGE;
  return (
    <div class="subscribers">
      <Unanswered nodes={unanswered} />
      <table class="cards">
        <caption>
          {total > subscribers.length
            ? `${subscribers.length} of ${plural(total, "subscriber")}`
            : plural(total, "subscriber")}
        </caption>
        <thead>
          <tr>
            <th scope="col">Client</th>
            <th scope="col">Transport</th>
            <th scope="col">Address</th>
            <th scope="col">Age</th>
            <Head text="Due" />
            <Head text="Delivered" />
            <Head text="Queued" />
            <Head text="Dropped" />
            <Head text="Unflushed" />
            <th scope="col">Ledger</th>
          </tr>
        </thead>
        <tbody>
          {subscribers.map((subscriber) => (
            <Row key={subscriber.clientId} subscriber={subscriber} isOwn={subscriber.clientId === ownId} />
          ))}
        </tbody>
      </table>
      {(isMore || after !== undefined) && (
        <div class="actions">
          <button type="button" disabled={after === undefined} onClick={() => watch.turn(undefined)}>
            First page
          </button>
          <button type="button" disabled={!isMore} onClick={() => watch.turn(last)}>
            Next {PAGE}
          </button>
        </div>
      )}
    </div>
  );
}

function Head({ text }: { text: string }) {
  return (
    <th scope="col" class="number">
      {text}
    </th>
  );
}

function Row({ subscriber, isOwn }: { subscriber: Subscriber; isOwn: boolean }) {
  const { clientId, transport, address, dropped, since, ledger } = subscriber;
  const { due, delivered, queued, unflushed } = ledger;
  return (
    <tr>
      <th scope="row" data-label="Client">
        <span class="name" title={clientId}>
          {clientId}
        </span>
        {isOwn && <span class="badge own">this page</span>}
        {queued > 0 && <span class="badge">lagging</span>}
      </th>
      <td data-label="Transport">{nameOf(transport)}</td>
      <td data-label="Address">{address ?? "–"}</td>
      <td data-label="Age" class="nowrap">
        {duration(Date.now() - since)}
      </td>
      <Count label="Due" value={due} />
      <Count label="Delivered" value={delivered} />
      <Count label="Queued" value={queued} isLoud={queued > 0} />
      <Count label="Dropped" value={dropped} isLoud={dropped > 0} title={reasonsOf(ledger)} />
      <Count label="Unflushed" value={unflushed} />
      <td data-label="Ledger">
        <Balance ledger={ledger} isShort />
      </td>
    </tr>
  );
}

type CountProps = { label: string; value: number; isLoud?: boolean; title?: string | undefined };

function Count({ label, value, isLoud = false, title }: CountProps) {
  return (
    <td data-label={label} class={isLoud ? "number loud" : "number"} title={title}>
      {count(value)}
    </td>
  );
}

function reasonsOf({ dropped }: Ledger): string | undefined {
  return dropped.length === 0
    ? undefined
    : dropped.map(([reason, number]) => `${words(reason)}: ${count(number)}`).join(", ");
}
