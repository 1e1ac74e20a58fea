import { afterAll, expect, vi } from 'vitest';

/**
 * Fails a test file that leaves the process other than it found it: the files of a worker share
 * their modules and their process, and the next one would run in what is left.
 */
const before = { ...process.env };

afterAll(() => {
  const names = new Set([...Object.keys(before), ...Object.keys(process.env)]);
  const changed = [...names].filter(name => process.env[name] !== before[name]);
  expect(changed, 'variables of the environment that this file changed for those after it').toEqual([]);
  expect(vi.isFakeTimers(), 'this file leaves its timers to those after it').toBe(false);
});
