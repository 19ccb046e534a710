import { count, words } from "./format.ts";
import type { Ledger } from "./read.ts";

/** The sum of what became of the events that were due. */
function accounted({ delivered, dropped, queued, unflushed }: Ledger): number {
  return delivered + lost(dropped) + queued + unflushed;
}

function lost(dropped: Ledger["dropped"]): number {
  return dropped.reduce((sum, [, number]) => sum + number, 0);
}

/** A mark that every event is accounted for, or by how many not. */
export function Balance({ ledger, isShort = false }: { ledger: Ledger; isShort?: boolean }) {
  const off = ledger.due - accounted(ledger);
  if (off !== 0) return <span class="mark bad">{isShort ? count(off) : `Off by ${count(off)}`}</span>;
  return (
    <span class="mark good">
      <Check label={isShort ? "Balances" : undefined} />
      {!isShort && "Balances"}
    </span>
  );
}

function Check({ label }: { label: string | undefined }) {
  const named =
    label === undefined ? ({ "aria-hidden": "true" } as const) : ({ role: "img", "aria-label": label } as const);
  return (
    <svg class="check" viewBox="0 0 16 16" width="14" height="14" {...named}>
      <path d="M3 8.5l3.5 3.5L13 4.5" />
    </svg>
  );
}

/** What became of every event that was due. */
export function LedgerView({ ledger, title }: { ledger: Ledger; title: string }) {
  return (
    <section class="panel ledger" aria-label={title}>
      <header class="panel-head">
        <h3>{title}</h3>
        <Balance ledger={ledger} />
      </header>
      <dl class="sum">
        <Term sign="" name="Due" value={ledger.due} />
        <Term sign="=" name="Delivered" value={ledger.delivered} />
        <Term sign="+" name="Dropped" value={lost(ledger.dropped)} />
        <Term sign="+" name="Queued" value={ledger.queued} />
        <Term sign="+" name="Not yet flushed" value={ledger.unflushed} />
      </dl>
      {ledger.dropped.length > 0 && (
        <table class="reasons">
          <caption>Dropped, by reason</caption>
          <thead>
            <tr>
              <th scope="col">Reason</th>
              <th scope="col" class="number">
                Events
              </th>
            </tr>
          </thead>
          <tbody>
            {ledger.dropped.map(([reason, number]) => (
              <tr key={reason}>
                <th scope="row">{words(reason)}</th>
                <td class="number">{count(number)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Term({ sign, name, value }: { sign: string; name: string; value: number }) {
  return (
    <div class="term">
      <dt>{name}</dt>
      <dd class="number">
        {sign !== "" && <span class="sign">{sign}</span>}
        {count(value)}
      </dd>
    </div>
  );
}
