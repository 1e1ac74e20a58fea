import { describe, expect, test } from 'vitest';
import { flagsAt, listCommands } from '../../../bin/commands/help.ts';
import { keysAmong } from '../../pages/command-keys.ts';
import { recordKeys, recordSession, SESSION_NAMES, type SessionName } from '../../pages/record-session.ts';
import { blockOf, writtenBlock } from '../../pages/written-block.ts';

const OUT_OF_DATE = 'the page is out of date: npm run docs:commands writes it anew';

const PAGES: readonly (readonly [string, readonly SessionName[]])[] = [
  ['operations.md', SESSION_NAMES],
  ['commands.md', ['redrive']],
];

describe('the recorded sessions', () => {
  test('are of commands of a stage, and of every one that changes something', () => {
    const commands = listCommands('stage');
    const changing = commands.filter(([, command]) => 'apply' in flagsAt(command, 'stage'));

    expect(commands.map(([name]) => name)).toEqual(expect.arrayContaining([...SESSION_NAMES]));
    expect(SESSION_NAMES).toEqual(expect.arrayContaining(changing.map(([name]) => name)));
  });

  test.each(PAGES)('in docs/%s are what the commands print', async (page, names) => {
    const block = blockOf('session', await recordSession(names));

    expect(writtenBlock(page, 'session', block), OUT_OF_DATE).toBe(block);
  });

  test('in JSON have the keys that docs/commands.md lists, and that the table of commands has', async () => {
    const recorded = await recordKeys();
    const rows = [...recorded].map(
      ([words, { keys }]) => `| \`aws ${words}\` | ${keys.map(key => `\`${key}\``).join(', ')} |`,
    );
    const block = blockOf('keys', ['| command | keys |', '| --- | --- |', ...rows].join('\n'));

    expect(writtenBlock('commands.md', 'keys', block), OUT_OF_DATE).toBe(block);
    for (const [words, { name, keys }] of recorded) {
      const known = new Map(listCommands('stage')).get(name)!.stage!.keys;
      if (keys[0] === 'error') continue;
      expect(keys.slice(0, 3), words).toEqual(['account', 'region', 'stage']);
      expect(keys.slice(3), words).toEqual(keysAmong(known, keys));
    }
  });
});
