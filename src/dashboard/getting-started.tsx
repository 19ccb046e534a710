import { useRef } from "preact/hooks";
import { CopyButton } from "./copy.tsx";

type Snippet = { title: string; text: string; note?: string };

/** Three ways to begin. */
export function GettingStarted({ base, create }: { base: string; create?: () => void }) {
  const url = base.replace(/\/$/, "");
  return (
    <section class="started" aria-labelledby="started-title">
      <h2 id="started-title" tabindex={-1}>
        {create ? "No topics yet" : "How to connect"}
      </h2>
      {create && (
        <p>
          The server runs and waits for its first topic.{" "}
          <button type="button" class="link" onClick={create}>
            Create one here
          </button>{" "}
          or begin with one of these.
        </p>
      )}
      <ol>
        {snippetsFor(url).map((snippet) => (
          <Snippet key={snippet.title} {...snippet} />
        ))}
      </ol>
    </section>
  );
}

function snippetsFor(url: string): Snippet[] {
  return [
    {
      title: "Create a topic, publish a message",
      text: `curl -X POST ${url}/topics -d '{"name": "news"}'\ncurl ${url}/topics/news/messages -d '{"payload": "hello"}'`,
    },
    {
      title: "Subscribe in a web page",
      note: "Save it as a file, and open it. The server must allow it: start it with --allowed-origins '*', or with the origin of the site that the page is on.",
      text: [
        "<!doctype html>",
        "<pre></pre>",
        '<script type="module">',
        `  import { connect } from "${url}/client.js";`,
        "",
        '  const list = document.querySelector("pre");',
        `  connect("${url}").subscribe("news", {`,
        "    last: 10,",
        "    onEvent: ({ seq, payload }) => list.append(`${seq} ${JSON.stringify(payload)}\\n`),",
        '    onGap: ({ first_seq, last_seq = "?" }) => list.append(`${first_seq} to ${last_seq} are missing\\n`),',
        "  });",
        "</script>",
      ].join("\n"),
    },
    {
      title: "Subscribe on the command line",
      note: "The command is the server's own executable; bun run build makes it. From source it is bun src/main.ts sub.",
      text: `dist/pubsub sub news --last 10 --url ${url}`,
    },
  ];
}

function Snippet({ title, text, note }: Snippet) {
  const code = useRef<HTMLElement>(null);
  return (
    <li class="panel snippet">
      <div class="panel-head">
        <h3>{title}</h3>
        <CopyButton text={text} label={`Copy: ${title}`} element={code} />
      </div>
      {note !== undefined && <p class="hint">{note}</p>}
      <pre tabindex={0} role="region" aria-label={title}>
        <code ref={code}>{text}</code>
      </pre>
    </li>
  );
}
