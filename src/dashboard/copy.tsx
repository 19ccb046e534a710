import type { RefObject } from "preact";
import { useState } from "preact/hooks";

type CopyProps = {
  text: string;
  /** What a screen reader calls it. */
  label: string;
  /** Where the text stands in the page. */
  element: RefObject<HTMLElement | null>;
};

export function CopyButton({ text, label, element }: CopyProps) {
  const [isCopied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    setCopied(await copied(text, element.current));
    setTimeout(() => setCopied(false), 2000);
  };
  return (
    <>
      <button type="button" class="copy" onClick={() => void copy()} aria-label={label}>
        {isCopied ? "Copied" : "Copy"}
      </button>
      <span class="unseen" role="status">
        {isCopied ? "Copied" : ""}
      </span>
    </>
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
