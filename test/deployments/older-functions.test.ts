import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { COMPATIBLE_FROM, NEEDED_VERSION } from '../../lib/adapters/sql/migrations/migrate.ts';
import { ARCHIVED_FUNCTIONS, listArchives, placeOfArchive, readArchive } from './older-functions.ts';

const versions = listArchives();

test.each(versions)('the archive of version %i is the one whose origin is written down', version => {
  const packed = readFileSync(placeOfArchive(version));
  const archive = readArchive(version);
  const origins = readFileSync(path.join(path.dirname(placeOfArchive(version)), 'README.md'), 'utf8');
  const file = path.basename(placeOfArchive(version));
  const origin = origins.split('\n').find(line => line.startsWith(`| \`${file}\``));

  const digest = createHash('sha256').update(packed).digest('hex');
  for (const fact of [archive.commit, ` ${packed.length} `, digest]) expect(origin).toContain(fact);
  expect(archive.schemaVersion).toBe(version);
  for (const name of ARCHIVED_FUNCTIONS) expect(Object.keys(archive.files)).toContain(`${name}/index.mjs`);
});

/**
 * The rule that keeps a way back. Where it fails, a migration took something away from all code that
 * is at hand: it must come a release later than the code that does without, and that code's
 * functions are archived when they land (`test/fixtures/older-code`).
 */
test('the schema of today lets archived code run, and none is kept that it does not', () => {
  expect(Math.max(...versions)).toBeGreaterThanOrEqual(COMPATIBLE_FROM);
  expect(versions.filter(version => version < COMPATIBLE_FROM)).toEqual([]);
  expect(Math.max(...versions)).toBeLessThanOrEqual(NEEDED_VERSION);
});
