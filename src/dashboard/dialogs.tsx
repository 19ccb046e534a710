import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "./api.ts";
import { plural } from "./format.ts";
import { Name } from "./names.tsx";

type DialogProps = {
  title: string;
  action: string;
  isDangerous?: boolean;
  /** What it is for. A rejection is shown, and the dialog stays. */
  work: () => Promise<void>;
  close: () => void;
  children: ComponentChildren;
};

/** A question with a way back. The browser keeps the focus inside, and Escape closes it. */
export function Dialog({ title, action, isDangerous = false, work, close, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [problem, setProblem] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  useLayoutEffect(() => dialog.current?.showModal(), []);
  // Closed by its own method it gives the focus back to what opened it.
  const shut = () => dialog.current?.close();
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    try {
      await work();
      shut();
    } catch (cause) {
      setProblem(cause instanceof Error ? cause.message : String(cause));
      setBusy(false);
    }
  };
  return (
    <dialog ref={dialog} aria-labelledby="dialog-title" onClose={close}>
      <form onSubmit={(event) => void submit(event)}>
        <h2 id="dialog-title">{title}</h2>
        {children}
        <p class="problem" role="alert">
          {problem}
        </p>
        <div class="actions">
          <button type="button" onClick={shut}>
            Cancel
          </button>
          <button type="submit" class={isDangerous ? "danger" : "primary"} disabled={isBusy}>
            {action}
          </button>
        </div>
      </form>
    </dialog>
  );
}

/** Asks for the name of a new topic. */
export function CreateDialog({ create, close }: { create: (name: string) => Promise<void>; close: () => void }) {
  const [name, setName] = useState("");
  const work = async (): Promise<void> => {
    try {
      await create(name);
    } catch (cause) {
      if (!(cause instanceof ApiError) || cause.code !== "BAD_REQUEST") throw cause;
      // The server says how long it may be; how long it is one cannot see.
      throw new Error(`${cause.message}. This one has ${plural(new TextEncoder().encode(name).length, "byte")}.`);
    }
  };
  return (
    <Dialog title="Create a topic" action="Create" work={work} close={close}>
      <label class="field">
        Name
        <input
          name="name"
          value={name}
          onInput={({ currentTarget }) => setName(currentTarget.value)}
          required
          autofocus
          autocomplete="off"
          spellcheck={false}
        />
      </label>
    </Dialog>
  );
}

/** Asks whether a topic is really to be deleted. */
export function DeleteDialog(props: { topic: string; remove: () => Promise<void>; close: () => void }) {
  const { topic, remove, close } = props;
  return (
    <Dialog title="Delete this topic?" action="Delete" isDangerous work={remove} close={close}>
      <p>
        This deletes{" "}
        <strong class="name">
          <Name of={topic} />
        </strong>{" "}
        and its history. Its subscribers are told.
      </p>
    </Dialog>
  );
}
