import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { makePrivateFolder } from '../../lib/adapters/private-files.ts';
import { UsageError } from '../../lib/core/errors.ts';

test.each([
  ['in the place of the folder', '.freshet', '.freshet'],
  ['in the place of a folder above it', '.freshet', '.freshet/database'],
])('a file %s is told with what to do', async (_, file, folder) => {
  const directory = mkdtempSync(join(tmpdir(), 'freshet-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, file), '');

  const made = makePrivateFolder(join(directory, folder));

  await expect(made).rejects.toThrow(UsageError);
  await expect(made).rejects.toThrow(
    `${join(directory, folder)} cannot be made: a file stands in its place. Move that file away.`,
  );
});
