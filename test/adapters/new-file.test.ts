import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { writeNewFile } from '../../lib/adapters/new-file.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'new-file-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('writeNewFile', () => {
  test('says of a file that cannot be written what to do, and names no draft', async () => {
    writeFileSync(join(folder, 'file'), '');

    const writing = writeNewFile(join(folder, 'file/freshet.config.ts'), 'text', false);

    await expect(writing).rejects.toMatchObject({
      name: 'UsageError',
      message: expect.stringMatching(/freshet\.config\.ts cannot be written \(E[A-Z]+\), and nothing was\.$/),
      remedy: expect.stringContaining('--output'),
    });
  });

  test('leaves nothing beside a file that exists and stays', async () => {
    const file = join(folder, 'taken.ts');
    writeFileSync(file, 'mine');

    await expect(writeNewFile(file, 'text', false)).rejects.toThrow(/exists, and was left/);

    expect(readdirSync(folder)).toEqual(['taken.ts']);
  });
});
