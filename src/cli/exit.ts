/** What a command ends with. The help of each says which of them it knows. */
export const EXIT = { done: 0, failed: 1, usage: 2, refused: 3, interrupted: 130 } as const;

/** What each of {@link EXIT} means to people. */
export const EXIT_MEANS: Readonly<Record<keyof typeof EXIT, string>> = {
  done: "done",
  failed: "failed",
  usage: "wrong usage",
  refused: "no credential, or one that does not allow this",
  interrupted: "interrupted before it was done",
};
