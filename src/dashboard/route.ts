import { Observable } from "./observable.ts";

export const TABS = ["live", "subscribers", "history", "ledger"] as const;
export type Tab = (typeof TABS)[number];

/** What the page shows, as the part of its address after `#` has it. Without a topic it is the server as a whole, or how to connect to it. */
export type Route = { topic: string | undefined; tab: Tab; isHelp: boolean };

/** `#/topics/NAME/TAB` */
export function hashOf(topic: string, tab: Tab = "live"): string {
  return `#/topics/${encodeURIComponent(topic)}${tab === "live" ? "" : `/${tab}`}`;
}

export const HOME = "#/";
export const HELP = "#/connect";

/** Follows the address, and corrects one that means nothing. */
export function watchRoute(): Observable<Route> {
  const read = (): Route => {
    const route = routeOf(location.hash);
    const hash = addressOf(route);
    if (hash !== location.hash && location.hash !== "") history.replaceState(null, "", hash);
    return route;
  };
  const route = new Observable(read());
  addEventListener("hashchange", () => route.set(read()));
  return route;
}

export function routeOf(hash: string): Route {
  const [, name, last] = /^#\/topics\/([^/]+)(?:\/([^/]*))?$/.exec(hash) ?? [];
  const topic = name === undefined ? undefined : decoded(name);
  return { topic, tab: TABS.find((tab) => tab === last) ?? "live", isHelp: hash === HELP };
}

export function addressOf({ topic, tab, isHelp }: Route): string {
  if (topic !== undefined) return hashOf(topic, tab);
  return isHelp ? HELP : HOME;
}

/** A name that somebody typed into the address may be no encoding of anything. */
function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
