import { useEffect, useRef } from "preact/hooks";

/**
 * Moves the focus to the main heading of another view where what had it is gone: signed in, signed out, deleted. So a
 * keyboard does not begin at the top again, and a screen reader says where it is.
 *
 * @param view what is shown; undefined while it is loading
 * @returns asks for it at the next view, though something else has the focus
 */
export function useKeptFocus(view: string | undefined): () => void {
  const isAsked = useRef(false);
  const hadFocus = useRef(false);
  useEffect(() => {
    const note = () => (hadFocus.current = true);
    addEventListener("focusin", note);
    return () => removeEventListener("focusin", note);
  }, []);
  useEffect(() => {
    if (view === undefined) return;
    const isLost = hadFocus.current && document.activeElement === document.body;
    if (isAsked.current || isLost) document.querySelector<HTMLElement>("main h2")?.focus();
    isAsked.current = false;
  }, [view]);
  return () => (isAsked.current = true);
}
