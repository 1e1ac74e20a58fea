import type { Randomness } from '../../lib/ports/process.ts';

/** mulberry32; identifiers are UUIDs in form, numbered by the same sequence. */
export function createSeededRandomness(seed = 1): Randomness {
  let state = seed;
  const fraction = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const hex = (digits: number) =>
    Math.floor(fraction() * 16 ** digits)
      .toString(16)
      .padStart(digits, '0');
  return {
    fraction,
    identifier: () => `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(8)}${hex(4)}`,
  };
}
