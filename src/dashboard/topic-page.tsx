import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ApiError } from "./api.ts";
import { DeleteDialog } from "./dialogs.tsx";
import { clock } from "./format.ts";
import { History } from "./history.tsx";
import { Live } from "./live.tsx";
import { Name } from "./names.tsx";
import { useValue } from "./observable.ts";
import { Publish } from "./publish.tsx";
import { HOME, type Tab } from "./route.ts";
import type { RawClient, Session } from "./session.ts";
import { Subscribers } from "./subscribers.tsx";
import { Tail } from "./tail.ts";
import { Figures, TopicLedger } from "./topic-figures.tsx";
import { Tabs, tabsOf } from "./topic-tabs.tsx";
import { positionOf, TopicWatch, type TopicState } from "./topic-watch.ts";

type Props = {
  session: Session;
  client: RawClient;
  topic: string;
  tab: Tab;
  isAdmin: boolean;
  /** Something was created or deleted. */
  changed: () => void;
};

/** One topic: its figures, and what happens in it. */
export function TopicPage({ session, client, topic, tab: asked, isAdmin, changed }: Props) {
  const watch = useMemo(() => new TopicWatch(session, topic), [session, topic]);
  const isReady = useValue(session.status) === "ready";
  const state = useValue(watch.state);
  // As soon as there is a connection again, the topic may be looked for.
  useEffect(() => {
    watch.start(isAdmin);
    return () => watch.stop();
  }, [watch, isAdmin, isReady]);
  const tail = useTail(client, topic, watch);
  const create = async (): Promise<void> => {
    try {
      await session.api.create(topic);
    } catch (cause) {
      // Somebody may have been faster.
      if (!(cause instanceof ApiError && cause.code === "TOPIC_EXISTS")) session.failed(cause);
    }
    changed();
  };
  const remove = async (): Promise<void> => {
    await watch.rest();
    try {
      await session.api.delete(topic);
    } catch (cause) {
      watch.wake();
      throw cause;
    }
    location.hash = HOME;
    changed();
  };
  return (
    <main class="topic">
      <a class="back" href={HOME}>
        All topics
      </a>
      <Title topic={topic} client={client} state={state} remove={isAdmin ? remove : undefined} />
      <Notice state={state} create={isAdmin ? create : undefined} />
      {tail && <Content topic={topic} client={client} watch={watch} tail={tail} asked={asked} />}
    </main>
  );
}

type ContentProps = { topic: string; client: RawClient; watch: TopicWatch; tail: Tail; asked: Tab };

function Content({ topic, client, watch, tail, asked }: ContentProps) {
  const state = useValue(watch.state);
  // It says whether the credential may read.
  useValue(tail.state);
  const rows = useValue(tail.rows);
  const tabs = tabsOf(state, !tail.isForbidden);
  const tab = tabs.find((one) => one === asked) ?? "live";
  // What came before a topic was deleted can still be read.
  if (tabs.length === 0 || (state.is === "missing" && rows.length === 0)) return null;
  return (
    <>
      {state.is === "there" && <Figures of={state} ownId={tail.clientId} />}
      <Tabs topic={topic} tabs={tabs} tab={tab} state={state}>
        {tab === "live" && <Live tail={tail} />}
        {tab === "subscribers" && <Subscribers watch={watch} ownId={tail.clientId} />}
        {tab === "history" && <History client={client} topic={topic} />}
        {tab === "ledger" && <TopicLedger state={state} />}
      </Tabs>
    </>
  );
}

type TitleProps = {
  topic: string;
  client: RawClient;
  state: TopicState;
  /** Undefined where the credential may not. */
  remove: (() => Promise<void>) | undefined;
};

function Title({ topic, client, state, remove }: TitleProps) {
  const [isDeleting, setDeleting] = useState(false);
  const [isPublishing, setPublishing] = useState(false);
  const opener = useRef<HTMLButtonElement>(null);
  const isThere = state.is === "there" || state.is === "readable";
  // Whether a credential may publish only the server knows.
  const mayPublish = isThere || state.is === "forbidden";
  const close = () => {
    setPublishing(false);
    opener.current?.focus();
  };
  return (
    <>
      <div class="title">
        <h2 class="name" tabindex={-1}>
          <Name of={topic} />
        </h2>
        <div class="actions">
          {mayPublish && (
            <button
              type="button"
              ref={opener}
              aria-expanded={isPublishing}
              onClick={() => setPublishing(!isPublishing)}
            >
              {isPublishing ? "Close publish" : "Publish"}
            </button>
          )}
          {isThere && remove && (
            <button type="button" class="danger-text" onClick={() => setDeleting(true)}>
              Delete
            </button>
          )}
        </div>
      </div>
      {mayPublish && isPublishing && <Publish client={client} topic={topic} close={close} />}
      {isDeleting && remove && <DeleteDialog topic={topic} remove={remove} close={() => setDeleting(false)} />}
    </>
  );
}

/** Why there is nothing to be seen. */
function Notice({ state, create }: { state: TopicState; create: (() => Promise<void>) | undefined }) {
  if (state.is === "loading") return <p class="empty">Loading</p>;
  if (state.is === "forbidden")
    return (
      <p class="panel notice" role="status">
        This credential may not see a topic of this name, if there is one.
      </p>
    );
  if (state.is !== "missing") return null;
  return (
    <div class="panel notice" role="status">
      <p>{wordsOf(state)} The page goes on once it is there.</p>
      {create && (
        <button type="button" class="primary" onClick={() => void create()}>
          Create it
        </button>
      )}
    </div>
  );
}

function wordsOf({ goneAt, isDeleted }: Extract<TopicState, { is: "missing" }>): string {
  if (goneAt === undefined) return "The server has no topic of this name.";
  const at = clock(goneAt / 1000);
  return isDeleted ? `This topic was deleted at ${at}.` : `The server has this topic no more; it was there at ${at}.`;
}

/** The live tail. It goes on across tabs, and subscribes each time that the topic is seen to be there. */
function useTail(client: RawClient, topic: string, watch: TopicWatch): Tail | undefined {
  const [tail, setTail] = useState<Tail>();
  useEffect(() => {
    const made = new Tail(client, topic);
    const unwatch = watch.state.watch(() => {
      const position = positionOf(watch.state.value);
      if (position !== undefined) made.follow(position);
    });
    const unwatchTail = made.state.watch(() => {
      if (made.state.value.cause?.code === "TOPIC_DELETED") watch.deleted();
    });
    setTail(made);
    return () => {
      unwatch();
      unwatchTail();
      made.close();
      setTail(undefined);
    };
  }, [client, topic, watch]);
  return tail;
}
