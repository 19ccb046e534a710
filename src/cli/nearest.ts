/** The one of `names` that was probably meant; undefined if none is near. */
export function nearest(given: string, names: readonly string[]): string | undefined {
  const [best] = names
    .map((name) => ({ name, edits: editsBetween(given, name) }))
    .sort((one, other) => one.edits - other.edits);
  const letters = given.replace(/^-+/, "").length;
  return best !== undefined && best.edits <= letters / 2 ? best.name : undefined;
}

/** `; did you mean X?`, or nothing if no name is near. */
export function hint(given: string, names: readonly string[]): string {
  const meant = nearest(given, names);
  return meant === undefined ? "" : `; did you mean ${meant}?`;
}

/** How many letters must be inserted, removed, changed or swapped with the next to turn `a` into `b`. */
function editsBetween(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const changed = (row[j] ?? 0) + (a[i] === b[j] ? 0 : 1);
      const isSwapped = i > 0 && j > 0 && a[i] === b[j - 1] && a[i - 1] === b[j];
      const swapped = isSwapped ? (before[j - 1] ?? 0) + 1 : Number.POSITIVE_INFINITY;
      next.push(Math.min(changed, swapped, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    before = row;
    row = next;
  }
  return row[b.length] ?? 0;
}
