import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeFolder, readObject, runCli } from './run-cli.ts';

const { directory, remove } = makeFolder();
afterAll(remove);

const freshet = (...words: string[]) => runCli(directory, words);

/** What a terminal would obey: colours, the clipboard (OSC 52), C1, a line of its own, the direction. */
const HOSTILE = '\u001b[31mred\u001b]52;c;aGk=\u0007\u009b2J\u202egnp.exe\u2066\r\nfreshet: all is well';
const OBEYED = /[\p{Bidi_Control}\u2028\u2029]|(?!\n)\p{Cc}/u;

beforeAll(async () => {
  writeFileSync(
    join(directory, 'freshet.config.ts'),
    `export default { sources: [{ name: 'notes', table: 'notes', key: 'id', updatedAt: 'updated_at',
       text: { columns: ['body'] }, model: 'hash' }] };`,
  );
  const escaped = HOSTILE.replaceAll(
    /[^ -~]|[\\']/g,
    character => `\\${character.codePointAt(0)!.toString(16).padStart(4, '0')}`,
  );
  const made = await freshet(
    'sql',
    `CREATE TABLE notes (id text PRIMARY KEY, body text, updated_at timestamptz DEFAULT now());
     INSERT INTO notes VALUES (U&'${escaped}', U&'${escaped}'), ('2', 'plain')`,
  );
  expect(made.code, made.errors).toBe(0);
  const run = await freshet('run');
  expect(run.code, run.errors).toBe(0);
});

describe('text of rows, databases and other processes on the terminal', () => {
  it('is escaped by search and kept as it is under --json', async () => {
    const shown = await freshet('search', 'red');
    const object = await freshet('search', 'red', '--json');

    expect(shown.output).toContain(String.raw`  \u001b[31mred\u001b]52;c;aGk=…`);
    expect(shown.output + shown.errors + object.errors).not.toMatch(OBEYED);
    expect(shown.output.split('\n').filter(line => line.startsWith('freshet:'))).toEqual([]);
    const { hits } = readObject(object) as { hits: { id: string; columns: { body: string } }[] };
    expect(hits).toContainEqual(expect.objectContaining({ id: HOSTILE, columns: { body: HOSTILE } }));
  });

  it('is escaped in the cells and the headings of sql', async () => {
    const { output, errors } = await freshet(
      'sql',
      'SELECT body AS "\u001b]0;title\u0007" FROM notes ORDER BY id',
    );

    expect(output).toContain(String.raw`\u001b]0;title\u0007`);
    expect(output).toContain(String.raw`\u001b[31mred`);
    expect(output + errors).not.toMatch(OBEYED);
  });

  it('is escaped where the message of the database quotes it', async () => {
    const { code, errors } = await freshet('sql', 'INSERT INTO notes SELECT id, body FROM notes');

    expect(code).toBe(2);
    expect(errors).not.toMatch(OBEYED);
  });

  it('is escaped in the ids that failures lists', async () => {
    const failed = await freshet(
      'sql',
      `UPDATE freshet.vectors_1 SET outcome = 'refused:invalid_input', embedding = NULL WHERE item_id <> '2'`,
    );
    expect(failed.code, failed.errors).toBe(0);

    const { output, errors } = await freshet('failures');

    expect(output).toContain(String.raw`ids: \u001b[31mred`);
    expect(output + errors).not.toMatch(OBEYED);
    expect(output.split('\n').filter(line => line.startsWith('freshet:'))).toEqual([]);
  });
});
