import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { boundYoungHeap, countBuffersAsHeap } from '../../../lib/adapters/system.ts';

function flagsSetOn(nodeVersion: string): string[] {
  const flags: string[] = [];
  countBuffersAsHeap(nodeVersion, flag => flags.push(flag));
  return flags;
}

describe('counting buffers as heap', () => {
  test('asks V8 for it where V8 knows the flag, and for a collection when both have doubled', () => {
    expect(flagsSetOn('24.21.0')).toEqual([
      '--external-memory-accounted-in-global-limit',
      '--heap-growing-percent=100',
    ]);
  });

  test('sets no flag on a Node 22, whose V8 would write an error about it', () => {
    expect(flagsSetOn('22.19.0')).toEqual([]);
  });
});

const MIB = 1024 * 1024;

/** Asks again at each size, as a run does after each batch, and returns what was asked of V8. */
function boundAtSizes(nodeVersion: string, ...sizes: number[]): { flags: string[]; answers: boolean[] } {
  const flags: string[] = [];
  const answers = sizes.map(size =>
    boundYoungHeap(
      nodeVersion,
      () => size,
      flag => flags.push(flag),
    ),
  );
  return { flags, answers };
}

describe('bounding the room for new objects', () => {
  test('waits until the room is large enough, and ends its growth then', () => {
    expect(boundAtSizes('24.21.0', 2 * MIB, 31 * MIB, 34 * MIB)).toEqual({
      flags: ['--semi-space-growth-factor=1'],
      answers: [false, false, true],
    });
  });

  test('sets no flag on a Node on which it was not tried', () => {
    expect(boundAtSizes('22.19.0', 64 * MIB)).toEqual({ flags: [], answers: [true] });
  });

  test('keeps the room of a real process from growing', { timeout: 60_000 }, () => {
    const [bounded, free] = ['bounded', 'free'].map(growYoungHeap);
    expect(bounded).toBeLessThan(48 * MIB);
    expect(free).toBeGreaterThan(48 * MIB);
  });
});

/** The room for new objects in a process that keeps a part of what it makes. */
function growYoungHeap(kind: string): number {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', GROWING, kind],
    {
      encoding: 'utf8',
      cwd: path.resolve(import.meta.dirname, '../../..'),
    },
  );
  expect(status, stderr).toBe(0);
  return Number(stdout);
}

const GROWING = `
const { boundYoungHeap } = await import('./lib/adapters/system.ts');
const { getHeapSpaceStatistics } = await import('node:v8');
const kept = [];
let isBounded = process.argv[1] !== 'bounded';
for (let batch = 0; batch < 400; batch += 1) {
  kept.push(Array.from({ length: 2000 }, (_, row) => ({ batch, row, text: 'row ' + row })));
  if (kept.length > 200) kept.shift();
  isBounded ||= boundYoungHeap();
}
const { space_size } = getHeapSpaceStatistics().find(space => space.space_name === 'new_space');
process.stdout.write(String(space_size));
`;
