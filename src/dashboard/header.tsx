import type { Session, Status } from "./session.ts";
import { HELP, HOME } from "./route.ts";
import { useValue } from "./observable.ts";

const WORDS: Record<Status, string> = {
  starting: "Connecting",
  ready: "Connected",
  stopping: "Shutting down",
  disconnected: "Disconnected",
  unauthorized: "Signed out",
};

/** How long a new tab has to load what is shown in it. */
const OPENED_WITHIN_MS = 60_000;

/** What stands above everything: how the page stands with the server, and where else to look. */
export function Header({ session, isAdmin }: { session: Session; isAdmin: boolean }) {
  const status = useValue(session.status);
  // A link carries no credential: what needs one is asked for here, and shown from the tab's own memory.
  const showMetrics = (event: Event): void => {
    if (!session.hasCredential) return;
    event.preventDefault();
    const show = (text: string): void => {
      const address = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
      open(address, "_blank", "noopener");
      setTimeout(() => URL.revokeObjectURL(address), OPENED_WITHIN_MS);
    };
    session.api
      .metrics()
      .then(show)
      .catch((cause: unknown) => session.failed(cause));
  };
  return (
    <header class="top">
      <h1>
        <a href={HOME}>Pub/sub</a>
      </h1>
      <p class={`status ${status}`} role="status">
        <span class="dot" aria-hidden="true" />
        {WORDS[status]}
      </p>
      <nav class="links" aria-label="Elsewhere">
        {status !== "unauthorized" && <a href={HELP}>How to connect</a>}
        <a href="openapi.json">OpenAPI</a>
        <a href="asyncapi.json">AsyncAPI</a>
        {isAdmin && status !== "unauthorized" && (
          <a href="metrics" onClick={showMetrics}>
            Metrics
          </a>
        )}
        {session.hasCredential && status !== "unauthorized" && (
          <button type="button" onClick={() => session.signOut()}>
            Sign out
          </button>
        )}
      </nav>
    </header>
  );
}

/** Says why nothing moves, and that the page does something about it. */
export function Banner({ session }: { session: Session }) {
  const status = useValue(session.status);
  const trouble = useValue(session.trouble);
  const texts: Partial<Record<Status, string>> = {
    disconnected: "The server does not answer. Trying again…",
    stopping: "The server is shutting down. The page comes back with it.",
  };
  const text = texts[status] ?? (trouble && `${trouble.replace(/\.$/, "")}. Trying again…`);
  return (
    <div class="banner" role="alert">
      {text !== undefined && <p class={status}>{text}</p>}
    </div>
  );
}
