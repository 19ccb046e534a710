import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { PubSubError } from "../client/index.ts";
import type { RawClient } from "./session.ts";

type Result = { isOk: boolean; text: string };

/** Publishes a message. Its payload is checked while it is typed. */
export function Publish({ client, topic, close }: { client: RawClient; topic: string; close: () => void }) {
  const field = useRef<HTMLTextAreaElement>(null);
  useLayoutEffect(() => field.current?.focus(), []);
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
      setResult({ isOk: false, text: refusalOf(cause) });
    }
  };
  const submit = (event: Event): void => {
    event.preventDefault();
    void publish();
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(event);
    if (event.key === "Escape") close();
  };
  return (
    <form class="panel publish" onSubmit={submit} onKeyDown={onKey}>
      <label class="field">
        Payload, as JSON
        <textarea
          ref={field}
          rows={2}
          spellcheck={false}
          value={text}
          onInput={({ currentTarget }) => setText(currentTarget.value)}
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

/** Whether a credential may publish is known only by trying. */
function refusalOf(cause: unknown): string {
  if (cause instanceof PubSubError && cause.code === "FORBIDDEN") return "This credential may not publish here.";
  return cause instanceof Error ? cause.message : String(cause);
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
