import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { CreateDialog } from "./dialogs.tsx";
import { GettingStarted } from "./getting-started.tsx";
import { Banner, Header } from "./header.tsx";
import { useKeptFocus } from "./keep-focus.ts";
import { visible } from "./names.tsx";
import { useValue, type Observable } from "./observable.ts";
import { OverviewPage } from "./overview-page.tsx";
import { OverviewWatch } from "./overview.ts";
import { hashOf, watchRoute, type Route } from "./route.ts";
import { Session } from "./session.ts";
import { SignIn } from "./sign-in.tsx";
import { TopicList } from "./topic-list.tsx";
import { TopicPage } from "./topic-page.tsx";
import { isUnreachable, Unreachable } from "./unreachable.tsx";

type Parts = { session: Session; watch: OverviewWatch; route: Observable<Route> };

function App({ session, watch, route }: Parts) {
  const status = useValue(session.status);
  const overview = useValue(watch.overview);
  const { topic, isHelp } = useValue(route);
  const isSignedOut = status === "unauthorized";
  const isLoading = overview === undefined;
  const toHeading = useKeptFocus(isSignedOut ? "sign in" : isLoading ? undefined : isHelp ? "help" : `topic ${topic}`);
  useEffect(() => {
    if (isSignedOut) return;
    watch.start();
    return () => watch.stop();
  }, [isSignedOut]);
  return (
    <>
      <Header session={session} isAdmin={overview?.isAdmin === true} />
      <Banner session={session} />
      {isSignedOut ? (
        <Door session={session} />
      ) : (
        <Body session={session} watch={watch} route={route} toHeading={toHeading} />
      )}
    </>
  );
}

function Door({ session }: { session: Session }) {
  const refusal = useValue(session.refusal);
  return <SignIn refusal={refusal} isFirst={!session.hasLeft} signIn={(credential) => session.signIn(credential)} />;
}

function Body({ session, watch, route, toHeading }: Parts & { toHeading: () => void }) {
  const overview = useValue(watch.overview);
  const client = useValue(session.client);
  const { topic, tab, isHelp } = useValue(route);
  const [isCreating, setCreating] = useState(false);
  useEffect(() => void (document.title = topic === undefined ? "Pub/sub" : `${visible(topic)} · Pub/sub`), [topic]);
  if (overview === undefined || client === undefined) {
    return (
      <main class="waiting">
        <p class="empty">Loading</p>
      </main>
    );
  }
  const create = async (name: string): Promise<void> => {
    await session.api.create(name);
    toHeading();
    location.hash = hashOf(name);
    watch.refresh();
  };
  const { topics, isAdmin } = overview;
  return (
    <div class={topic === undefined ? "body home" : "body"}>
      <TopicList overview={overview} selected={topic} create={() => setCreating(true)} />
      {isUnreachable(topic) ? (
        <Unreachable topic={topic} />
      ) : topic !== undefined ? (
        <TopicPage
          key={topic}
          session={session}
          client={client}
          topic={topic}
          tab={tab}
          isAdmin={isAdmin}
          changed={() => watch.refresh()}
        />
      ) : (
        <main class={overview.isStale ? "overview stale" : "overview"}>
          {isHelp ? (
            <GettingStarted base={session.base} />
          ) : topics.size > 0 ? (
            <OverviewPage overview={overview} />
          ) : isAdmin ? (
            <GettingStarted base={session.base} create={() => setCreating(true)} />
          ) : (
            <p class="empty wide">There is no topic that this credential may subscribe to.</p>
          )}
        </main>
      )}
      {isCreating && <CreateDialog create={create} close={() => setCreating(false)} />}
    </div>
  );
}

const page = document.getElementById("page");
if (page !== null) {
  const session = new Session(new URL(".", document.baseURI).href);
  render(<App session={session} watch={new OverviewWatch(session)} route={watchRoute()} />, page);
}
