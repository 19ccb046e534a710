/** Characters that show nothing, or turn others round: a blank at either end, and what Unicode has of the kind. */
const UNSEEN = /^ +| +$|[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\u115f\u1160\u2800\u3164\uffa0]|(?! )\p{Zs}/gu;

const NATURAL = new Intl.Collator("en", { numeric: true });

/** The order of names: `t2` before `t10`. */
export function compareNames(a: string, b: string): number {
  return NATURAL.compare(a, b) || (a < b ? -1 : 1);
}

/** A name with all of it to be seen, as text. */
export function visible(name: string): string {
  return name.replace(UNSEEN, escaped);
}

function escaped(unseen: string): string {
  if (unseen.startsWith(" ")) return "␣".repeat(unseen.length);
  return `‹U+${(unseen.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}›`;
}

/** A topic's name. It does not change the direction of what stands beside it. */
export function Name({ of }: { of: string }) {
  return <bdi class="whole-name">{visible(of)}</bdi>;
}
