import { Observable } from "./observable.ts";

export const TABS = ["live", "subscribers", "history", "ledger"] as const;
export type Tab = (typeof TABS)[number];

/** What the page shows, as the part of its address after `#` has it. */
export type Route = { topic: string | undefined; tab: Tab };

/** `#/topics/NAME/TAB` */
export function hashOf(topic: string, tab: Tab = "live"): string {
  return `#/topics/${encodeURIComponent(topic)}${tab === "live" ? "" : `/${tab}`}`;
}

export const HOME = "#/";

/** Follows the address. */
export function watchRoute(): Observable<Route> {
  const route = new Observable(routeOf(location.hash));
  addEventListener("hashchange", () => route.set(routeOf(location.hash)));
  return route;
}

function routeOf(hash: string): Route {
  const [, name, last] = /^#\/topics\/([^/]+)(?:\/(\w+))?$/.exec(hash) ?? [];
  return { topic: name === undefined ? undefined : decoded(name), tab: TABS.find((tab) => tab === last) ?? "live" };
}

/** A name that somebody typed into the address may be no encoding of anything. */
function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
