import { HOME } from "./route.ts";

/** Whether no address leads to a topic: browsers and other clients take these two for the way up (RFC 3986 §5.2.4). */
export function isUnreachable(topic: string | undefined): topic is "." | ".." {
  return topic === "." || topic === "..";
}

/** What is shown in place of such a topic. */
export function Unreachable({ topic }: { topic: string }) {
  return (
    <main class="topic">
      <a class="back" href={HOME}>
        All topics
      </a>
      <div class="title">
        <h2 class="name" tabindex={-1}>
          {topic}
        </h2>
      </div>
      <p class="empty">
        No address leads to a topic of this name, as browsers take it for the way up. WebSockets can use it; to delete
        it, run curl --path-as-is -X DELETE with /topics/{topic}.
      </p>
    </main>
  );
}
