import { Random } from "../support/random.ts";

/** One input, and what kind it is. `shown` is how a report shows it. */
export type Input = { readonly kind: string; readonly shown: string };

/** What the inputs are given to. */
export interface World<I extends Input> extends AsyncDisposable {
  /**
   * Gives it some inputs, and says for each what came of it.
   *
   * @throws if something is not as it must be
   */
  run(inputs: readonly I[]): Promise<string[]>;
}

export type Target<I extends Input> = {
  readonly name: string;
  /** In which ways a world can be made. */
  readonly variants: readonly string[];
  open(variant: string): Promise<World<I>>;
  /** Makes the inputs of one round. */
  make(random: Random): Promise<I[]> | I[];
};

/** How often each kind of input came to which end. */
export class Tally {
  readonly #counts = new Map<string, number>();

  add(kind: string, outcome: string): void {
    const key = `${kind} → ${outcome}`;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  get total(): number {
    return this.#counts.values().reduce((sum, count) => sum + count, 0);
  }

  get lines(): string[] {
    return [...this.#counts].sort().map(([key, count]) => `${String(count).padStart(9)}  ${key}`);
  }
}

/** After how many rounds a new world is made. */
const ROUNDS = 200;

/** How much of an input and of its fault is shown. */
const MOST_WORDS = 4000;

/** How long to look for a smaller input, in milliseconds. */
const SHRINK_MS = 20_000;

/**
 * Gives one world after another random inputs. The seed of each is one more than that of the world before.
 *
 * @throws at the first finding, with its seed and the smallest input that was found
 */
export async function fuzz<I extends Input>(target: Target<I>, seed: number, seconds: number): Promise<Tally> {
  const tally = new Tally();
  const end = performance.now() + 1000 * seconds;
  for (let own = seed; performance.now() < end; own++) {
    const random = new Random(own);
    const variant = random.pick(target.variants);
    await using world = await target.open(variant);
    for (let round = 0; round < ROUNDS && performance.now() < end; round++) {
      const inputs = await target.make(random);
      const where = `SEED=${own}, target ${target.name}, ${variant}, round ${round}`;
      try {
        const outcomes = await world.run(inputs);
        for (const [index, { kind }] of inputs.entries()) tally.add(kind, outcomes[index] ?? "nothing");
      } catch (cause) {
        throw new Error(`${where}: ${wordsOf(cause)}\n${await smallest(target, variant, inputs)}`);
      }
    }
  }
  return tally;
}

/** The fewest of the inputs that fail by themselves, in a world of their own. */
async function smallest<I extends Input>(target: Target<I>, variant: string, inputs: readonly I[]): Promise<string> {
  const end = performance.now() + SHRINK_MS;
  let problem = await problemOf(target, variant, inputs);
  const show = (left: readonly I[]) =>
    left.map(({ kind, shown }) => `${kind}: ${shown.slice(0, MOST_WORDS)}`).join("\n");
  if (problem === undefined) return `It does not happen in a new world. The last inputs:\n${show(inputs)}`;
  let left = inputs;
  for (let at = 0; at < left.length && performance.now() < end;) {
    const fewer = left.toSpliced(at, 1);
    const found = fewer.length === 0 ? undefined : await problemOf(target, variant, fewer);
    if (found === undefined) at++;
    else {
      left = fewer;
      problem = found;
    }
  }
  return `The least of it: ${problem}\n${show(left)}`;
}

async function problemOf<I extends Input>(target: Target<I>, variant: string, inputs: readonly I[]) {
  await using world = await target.open(variant);
  try {
    await world.run(inputs);
    return undefined;
  } catch (cause) {
    return wordsOf(cause);
  }
}

function wordsOf(cause: unknown): string {
  const words = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
  return words.length <= MOST_WORDS ? words : `${words.slice(0, MOST_WORDS)}…`;
}
