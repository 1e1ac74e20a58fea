import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { awsCommandList } from '../../../bin/commands/aws-command-list.ts';
import { recordKeys, recordSession, SESSION_NAMES, type SessionName } from '../../pages/record-session.ts';

const DOCS = path.resolve(import.meta.dirname, '../../../docs');
const SESSION = /<!-- session -->\n[\s\S]*?<!-- \/session -->/;

const KEYS = /<!-- keys -->\n[\s\S]*?<!-- \/keys -->/;

/** What stands between two marks of a page; with `UPDATE_DOCS=1` it is written there first. */
function writtenAt(page: string, mark: RegExp, block: string): string | undefined {
  const file = path.join(DOCS, page);
  if (process.env.UPDATE_DOCS === '1')
    writeFileSync(
      file,
      readFileSync(file, 'utf8').replace(mark, () => block),
    );
  return mark.exec(readFileSync(file, 'utf8'))?.[0];
}

const OUT_OF_DATE = 'the page is out of date: npm run docs:dashboard writes it anew';

const PAGES: readonly (readonly [string, readonly SessionName[]])[] = [
  ['operations.md', SESSION_NAMES],
  ['commands.md', ['redrive']],
];

describe('the recorded sessions', () => {
  test('show every command', () => {
    expect([...SESSION_NAMES].sort()).toEqual(Object.keys(awsCommandList).sort());
  });

  test.each(PAGES)('in docs/%s are what the commands print', async (page, names) => {
    const block = `<!-- session -->\n\n${await recordSession(names)}\n\n<!-- /session -->`;

    expect(writtenAt(page, SESSION, block), OUT_OF_DATE).toBe(block);
  });

  test('in JSON have the keys that docs/commands.md lists', async () => {
    const block = `<!-- keys -->\n\n${await recordKeys()}\n\n<!-- /keys -->`;

    expect(writtenAt('commands.md', KEYS, block), OUT_OF_DATE).toBe(block);
  });
});
