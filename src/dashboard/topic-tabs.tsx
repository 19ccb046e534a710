import type { ComponentChildren } from "preact";
import { count } from "./format.ts";
import { hashOf, TABS, type Tab } from "./route.ts";
import type { TopicState } from "./topic-watch.ts";

const LABELS = { live: "Live", subscribers: "Subscribers", history: "History", ledger: "Ledger" };

/** What there is to be seen of a topic, with this credential. */
export function tabsOf(state: TopicState, mayRead: boolean): readonly Tab[] {
  if (state.is === "missing") return ["live"];
  if (state.is === "readable") return ["live", "history"];
  if (state.is === "there") return mayRead ? TABS : TABS.filter((tab) => tab !== "history");
  return [];
}

type TabsProps = {
  topic: string;
  tabs: readonly Tab[];
  tab: Tab;
  state: TopicState;
  children: ComponentChildren;
};

export function Tabs({ topic, tabs, tab, state, children }: TabsProps) {
  const go = (event: KeyboardEvent): void => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const next = step === undefined ? undefined : tabs.at((tabs.indexOf(tab) + step) % tabs.length);
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
        {tabs.map((name) => (
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
