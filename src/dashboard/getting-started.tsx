import { useRef, useState } from "preact/hooks";

/** Three ways to begin, for a server without topics. */
export function GettingStarted({ base, create }: { base: string; create: () => void }) {
  const url = base.replace(/\/$/, "");
  const snippets = [
    {
      title: "Create a topic, publish a message",
      text: `curl -X POST ${url}/topics -d '{"name": "news"}'\ncurl ${url}/topics/news/messages -d '{"payload": "hello"}'`,
    },
    {
      title: "Subscribe in a web page",
      text: `<script type="module">\n  import { connect } from "${url}/client.js";\n\n  connect("${url}").subscribe("news", {\n    last: 10,\n    onEvent: ({ payload }) => console.log(payload),\n    onGap: (gap) => console.log("missing", gap),\n  });\n</script>`,
    },
    { title: "Subscribe on the command line", text: `pubsub sub news --last 10 --url ${url}` },
  ];
  return (
    <section class="started" aria-labelledby="started-title">
      <h2 id="started-title">No topics yet</h2>
      <p>
        The server runs and waits for its first topic.{" "}
        <button type="button" class="link" onClick={create}>
          Create one here
        </button>{" "}
        or begin with one of these.
      </p>
      <ol>
        {snippets.map((snippet) => (
          <Snippet key={snippet.title} {...snippet} />
        ))}
      </ol>
    </section>
  );
}

function Snippet({ title, text }: { title: string; text: string }) {
  const code = useRef<HTMLElement>(null);
  const [isCopied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    setCopied(await copied(text, code.current));
    setTimeout(() => setCopied(false), 2000);
  };
  return (
    <li class="panel snippet">
      <div class="panel-head">
        <h3>{title}</h3>
        <button type="button" onClick={() => void copy()} aria-label={`Copy: ${title}`}>
          {isCopied ? "Copied" : "Copy"}
        </button>
      </div>
      <pre tabindex={0} role="region" aria-label={title}>
        <code ref={code}>{text}</code>
      </pre>
      <span class="unseen" role="status">
        {isCopied ? "Copied" : ""}
      </span>
    </li>
  );
}

/** Copies a text. A page that came over plain http may not write the clipboard, but can copy what is selected. */
async function copied(text: string, element: HTMLElement | null): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    if (element === null) return false;
    getSelection()?.selectAllChildren(element);
    return document.execCommand("copy");
  }
}
