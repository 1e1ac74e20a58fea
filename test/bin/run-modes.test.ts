import { describe, expect, test } from 'vitest';
import { runFlags } from '../../bin/commands/run-flags.ts';
import { withMode } from '../../bin/commands/run-modes.ts';
import { readFlags } from '../../bin/terminal/flags.ts';

const read = (...words: string[]) => withMode(readFlags(words, runFlags).values);

describe('a mode of a run', () => {
  test('sets the flags that are not given', () => {
    expect(read('--mode', 'bootstrap')).toMatchObject({ 'batch-size': 64, 'pause-ms': 200 });
    expect(read('--mode', 'maintenance')).toMatchObject({ 'batch-size': 32, 'max-items': 20_000 });
    expect(read('--batch-size', '7')).toEqual({ 'batch-size': 7 });
  });

  test('yields to a flag that is given', () => {
    expect(read('--mode', 'maintenance', '--max-items', '5')).toMatchObject({
      'batch-size': 32,
      'max-items': 5,
    });
  });

  test('that nobody knows is refused with those that there are', () => {
    expect(() => read('--mode', 'fast')).toThrow('--mode "fast": expected bootstrap or maintenance.');
  });
});
