import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { Chart } from "./chart.tsx";
import { DeleteDialog } from "./dialogs.tsx";
import { bytes, count, rate } from "./format.ts";
import { History } from "./history.tsx";
import { LedgerView } from "./ledger.tsx";
import { Live } from "./live.tsx";
import { useValue } from "./observable.ts";
import { Publish } from "./publish.tsx";
import { HOME, hashOf, TABS, type Tab } from "./route.ts";
import type { RawClient, Session } from "./session.ts";
import { Subscribers } from "./subscribers.tsx";
import { Tail } from "./tail.ts";
import { Tile } from "./tile.tsx";
import { TopicWatch, type TopicState } from "./topic-watch.ts";

const LINES = [
  { label: "Published", color: "published" },
  { label: "Delivered", color: "delivered" },
] as const;

/** How long a tail waits for its topic to be there again. */
const RETRY_MS = 300;

type Props = {
  session: Session;
  client: RawClient;
  topic: string;
  tab: Tab;
  isAdmin: boolean;
  /** Whether the server has the topic, as far as the list of topics tells. */
  isKnown: boolean;
  /** Something was created or deleted. */
  changed: () => void;
};

/** One topic: its figures, and what happens in it. */
export function TopicPage({ session, client, topic, tab, isAdmin, isKnown, changed }: Props) {
  const watch = useMemo(() => new TopicWatch(session, topic), [session, topic]);
  const tail = useTail(client, topic, isKnown);
  const state = useValue(watch.state);
  const [isDeleting, setDeleting] = useState(false);
  const [isPublishing, setPublishing] = useState(false);
  useEffect(() => {
    if (!isAdmin) return watch.state.set({ is: "forbidden" });
    watch.start();
    return () => watch.stop();
  }, [watch, isAdmin]);
  const create = async (): Promise<void> => {
    await session.api.create(topic).catch(() => {});
    changed();
  };
  const remove = async (): Promise<void> => {
    await session.api.delete(topic);
    location.hash = HOME;
    changed();
  };
  return (
    <main class="topic">
      <a class="back" href={HOME}>
        All topics
      </a>
      <div class="title">
        <h2 class="name">{topic}</h2>
        {isKnown && (
          <div class="actions">
            <button type="button" aria-expanded={isPublishing} onClick={() => setPublishing(!isPublishing)}>
              {isPublishing ? "Close publish" : "Publish"}
            </button>
            {isAdmin && (
              <button type="button" class="danger-text" onClick={() => setDeleting(true)}>
                Delete
              </button>
            )}
          </div>
        )}
      </div>
      {!isKnown && (
        <div class="panel notice" role="status">
          <p>The server has no topic of this name. The page goes on once it is there.</p>
          {isAdmin && (
            <button type="button" class="primary" onClick={() => void create()}>
              Create it
            </button>
          )}
        </div>
      )}
      {isKnown && <Figures state={state} />}
      {isKnown && isPublishing && <Publish client={client} topic={topic} />}
      <Tabs topic={topic} tab={tab} state={state}>
        {tab === "live" && tail && <Live tail={tail} />}
        {tab === "subscribers" && <Subscribers watch={watch} ownId={tail?.clientId} />}
        {tab === "history" && <History client={client} topic={topic} />}
        {tab === "ledger" && <TopicLedger state={state} />}
      </Tabs>
      {isDeleting && <DeleteDialog topic={topic} remove={remove} close={() => setDeleting(false)} />}
    </main>
  );
}

/** The live tail. It goes on across tabs, and begins again where its topic was gone and is back. */
function useTail(client: RawClient, topic: string, isKnown: boolean): Tail | undefined {
  const [tail, setTail] = useState<Tail>();
  const [round, setRound] = useState(0);
  const again = () => setRound((before) => before + 1);
  useEffect(() => {
    const made = new Tail(client, topic);
    setTail(made);
    return () => {
      made.close();
      setTail(undefined);
    };
  }, [client, topic, round]);
  useEffect(() => {
    if (tail === undefined || !isKnown) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const check = () => {
      if (tail.isWithoutTopic) timer ??= setTimeout(again, RETRY_MS);
    };
    check();
    const unwatch = tail.state.watch(check);
    return () => {
      unwatch();
      clearTimeout(timer);
    };
  }, [tail, isKnown]);
  return tail;
}

function Figures({ state }: { state: TopicState }) {
  if (state.is !== "there") return null;
  const { detail, points } = state;
  const hasDelivered = detail.ledger !== undefined;
  return (
    <section class="figures" aria-label="Figures">
      <dl class="tiles">
        <Tile name="Published" value={count(detail.seq)} note={`epoch ${detail.epoch}`} />
        <Tile name="Published a second" value={rate(state.rate)} />
        <Tile name="History" value={count(detail.messages)} note={bytes(detail.bytes)} />
        <Tile name="Subscribers" value={count(detail.total)} />
      </dl>
      <div class="panel">
        <Chart title="Messages a second" lines={hasDelivered ? LINES : PUBLISHED} points={points} />
      </div>
    </section>
  );
}

const PUBLISHED = LINES.slice(0, 1);

function TopicLedger({ state }: { state: TopicState }) {
  if (state.is === "forbidden") return <p class="empty">This credential may not see the ledger.</p>;
  if (state.is !== "there") return <p class="empty">Loading</p>;
  const { ledger } = state.detail;
  if (ledger === undefined) return <p class="empty">This server keeps no ledger.</p>;
  return <LedgerView ledger={ledger} title="All subscribers, those that have left included" />;
}

type TabsProps = { topic: string; tab: Tab; state: TopicState; children: ComponentChildren };

const LABELS = { live: "Live", subscribers: "Subscribers", history: "History", ledger: "Ledger" };

function Tabs({ topic, tab, state, children }: TabsProps) {
  const go = (event: KeyboardEvent): void => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const next = step === undefined ? undefined : TABS.at((TABS.indexOf(tab) + step) % TABS.length);
    if (next === undefined) return;
    event.preventDefault();
    location.replace(hashOf(topic, next));
    document.getElementById(`tab-${next}`)?.focus();
  };
  const labelOf = (name: Tab): string => {
    const total = name === "subscribers" && state.is === "there" ? ` (${count(state.detail.total)})` : "";
    return `${LABELS[name]}${total}`;
  };
  return (
    <section class="panel tabs">
      <div role="tablist" aria-label="About this topic" onKeyDown={go}>
        {TABS.map((name) => (
          <a
            key={name}
            id={`tab-${name}`}
            role="tab"
            href={hashOf(topic, name)}
            aria-selected={name === tab}
            aria-controls="tab-panel"
            tabindex={name === tab ? 0 : -1}
          >
            {labelOf(name)}
          </a>
        ))}
      </div>
      <div role="tabpanel" id="tab-panel" aria-labelledby={`tab-${tab}`}>
        {children}
      </div>
    </section>
  );
}
