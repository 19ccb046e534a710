import { useState } from "preact/hooks";
import type { RawClient } from "./session.ts";

type Result = { isOk: boolean; text: string };

/** Publishes a message. Its payload is checked while it is typed. */
export function Publish({ client, topic }: { client: RawClient; topic: string }) {
  const [text, setText] = useState('{"hello": "world"}');
  const [result, setResult] = useState<Result>();
  const problem = problemOf(text);
  const publish = async (): Promise<void> => {
    if (problem !== undefined) return;
    setResult({ isOk: true, text: "Waiting for the server" });
    try {
      const { seq } = await client.publish(topic, text);
      setResult({ isOk: true, text: `Published as ${seq}` });
    } catch (cause) {
      setResult({ isOk: false, text: cause instanceof Error ? cause.message : String(cause) });
    }
  };
  const submit = (event: Event): void => {
    event.preventDefault();
    void publish();
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(event);
  };
  return (
    <form class="panel publish" onSubmit={submit}>
      <label class="field">
        Payload, as JSON
        <textarea
          rows={3}
          spellcheck={false}
          value={text}
          onInput={({ currentTarget }) => setText(currentTarget.value)}
          onKeyDown={onKey}
          aria-invalid={problem !== undefined}
          aria-describedby="payload-check"
        />
      </label>
      <div class="bar">
        <p id="payload-check" class={problem === undefined ? "checked" : "problem"} role="status">
          {problem ?? "Valid JSON"}
        </p>
        <p class={result?.isOk === false ? "result problem" : "result"} role="status">
          {result?.text}
        </p>
        <span class="hint">Ctrl + Enter</span>
        <button type="submit" class="primary" disabled={problem !== undefined}>
          Publish
        </button>
      </div>
    </form>
  );
}

function problemOf(text: string): string | undefined {
  if (text.trim() === "") return "A payload is needed; null is one";
  try {
    JSON.parse(text);
    return undefined;
  } catch (cause) {
    return `Not JSON: ${cause instanceof Error ? cause.message : String(cause)}`;
  }
}
