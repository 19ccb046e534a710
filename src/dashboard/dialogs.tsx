import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

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
  return (
    <Dialog title="Create a topic" action="Create" work={() => create(name)} close={close}>
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
        <strong class="name">{topic}</strong> and its history go, and its subscribers are told so. This cannot be
        undone.
      </p>
    </Dialog>
  );
}
