import { describe, expect, test } from 'vitest';
import { countBuffersAsHeap } from '../../../lib/adapters/system.ts';

function flagsSetOn(nodeVersion: string): string[] {
  const flags: string[] = [];
  countBuffersAsHeap(nodeVersion, flag => flags.push(flag));
  return flags;
}

describe('counting buffers as heap', () => {
  test('asks V8 for it where V8 knows the flag', () => {
    expect(flagsSetOn('24.21.0')).toEqual(['--external-memory-accounted-in-global-limit']);
  });

  test('sets no flag on a Node 22, whose V8 would write an error about it', () => {
    expect(flagsSetOn('22.19.0')).toEqual([]);
  });
});
