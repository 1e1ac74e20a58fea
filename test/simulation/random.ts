/** Everything that a run leaves to chance comes from one of these, so that a seed is the whole run. */
export interface Random {
  /** Uniform in [0, 1). */
  fraction(): number;
  chance(probability: number): boolean;
  /** A whole number from 0 to `count` − 1. */
  below(count: number): number;
  /** A whole number, both ends included. */
  between(least: number, most: number): number;
  pick<Value>(values: readonly Value[]): Value;
  shuffle<Value>(values: readonly Value[]): Value[];
}

/** mulberry32. */
export function createRandom(seed: number): Random {
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) | 0;
  const fraction = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (count: number) => Math.floor(fraction() * count);
  return {
    fraction,
    below,
    chance: probability => probability > 0 && fraction() < probability,
    between: (least, most) => least + below(most - least + 1),
    pick: values => {
      if (values.length === 0) throw new RangeError('There is nothing to pick from.');
      return values[below(values.length)] as (typeof values)[number];
    },
    shuffle(values) {
      const shuffled = [...values];
      for (let last = shuffled.length - 1; last > 0; last -= 1) {
        const other = below(last + 1);
        const held = shuffled[last] as (typeof values)[number];
        shuffled[last] = shuffled[other] as (typeof values)[number];
        shuffled[other] = held;
      }
      return shuffled;
    },
  };
}
