import { useLayoutEffect, useState } from "preact/hooks";

/** A value that components, and others, follow. */
export class Observable<T> {
  #value: T;
  readonly #watchers = new Set<() => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const watcher of [...this.#watchers]) watcher();
  }

  /** Calls back after each change, until what it returns is called. */
  watch(watcher: () => void): () => void {
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }
}

/** The value, for a component that is to be drawn again when it changes. */
export function useValue<T>(observable: Observable<T>): T {
  const [, draw] = useState<object>();
  const { value } = observable;
  useLayoutEffect(() => {
    const drawAgain = () => draw({});
    // It may have changed while this was drawn.
    if (!Object.is(value, observable.value)) drawAgain();
    return observable.watch(drawAgain);
  }, [observable]);
  return value;
}
