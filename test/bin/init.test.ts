import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeFolder, readObject, runCli } from './run-cli.ts';

const { directory, remove } = makeFolder();
afterAll(remove);

const freshet = (...words: string[]) => runCli(directory, words);
const init = (...words: string[]) => freshet('init', '--embedded', ...words);
const pathOf = (name: string) => join(directory, name);

const HOSTILE = 'x\nfreshet: all is well\u001b[31m\u202e';

beforeAll(async () => {
  const made = await freshet(
    'sql',
    `CREATE TABLE articles (id bigint PRIMARY KEY, title text, body text, slug text, password_hash text,
                            embedding vector(3), updated_at timestamptz NOT NULL DEFAULT now());
     INSERT INTO articles (id, title, body)
       SELECT n, 'a thief', 'someone who steals things, number ' || n FROM generate_series(1, 40) n;
     CREATE TABLE events (name text, at timestamptz);
     CREATE TABLE "a.b ""c""'s" ("the id" uuid PRIMARY KEY DEFAULT gen_random_uuid(), "it's" text,
                               "Updated At" timestamp DEFAULT now());
     INSERT INTO "a.b ""c""'s" ("it's") VALUES ('a quiet harbour');
     CREATE TABLE U&"${HOSTILE.replaceAll(/[^ -~]/g, control => `\\${control.codePointAt(0)!.toString(16).padStart(4, '0')}`)}" (note text)`,
  );
  expect(made.code, made.errors).toBe(0);
});

afterEach(() => {
  for (const name of readdirSync(directory))
    if (name !== '.freshet') rmSync(pathOf(name), { recursive: true });
});

describe('init', () => {
  it('says of a view what to name, writes it with its key, and a run embeds it', async () => {
    const view =
      'CREATE VIEW shown AS SELECT id, title, updated_at FROM articles; ' +
      'CREATE MATERIALIZED VIEW frozen AS SELECT id, title, updated_at FROM articles';
    expect((await freshet('sql', view)).code).toBe(0);
    try {
      const unnamed = await init('--yes', '--table', 'shown');
      expect([unnamed.code, unnamed.errors]).toEqual([
        2,
        expect.stringContaining(
          'public.shown is a view: name the columns that tell its rows apart with --key, as --key id.',
        ),
      ]);
      const frozen = await init('--yes', '--table', 'frozen', '--key', 'id');
      expect(frozen.errors).toContain('public.frozen is a materialized view, which is no source');

      const { code, output, errors } = await init('--yes', '--table', 'shown', '--key', 'id');
      expect(code, errors).toBe(0);
      expect(output).toContain('table    public.shown, by its key id\n');
      const run = await freshet('run', '--json');
      expect(readObject(run), run.errors).toMatchObject({ end: 'complete', embedded: 40 });

      // Neither a view of the application nor Freshet's own is proposed.
      rmSync(pathOf('freshet.config.ts'));
      const shown = await init('--yes', '--table', 'embeddings.shown', '--key', 'id');
      expect(shown.errors).toContain('there is no such table');
    } finally {
      await freshet('sql', 'DROP VIEW shown; DROP MATERIALIZED VIEW frozen');
    }
  });

  it('writes a configuration with which a run embeds, and says what it found and what it costs', async () => {
    const written = await init(
      '--yes',
      '--table',
      'articles',
      '--model',
      'text-embedding-3-small',
      '--github-action',
    );
    // --github-action and --embedded contradict each other; nothing is written then.
    expect(written.code).toBe(2);
    expect(existsSync(pathOf('freshet.config.ts'))).toBe(false);

    const { code, output, errors } = await init('--yes', '--table', 'articles');
    expect(code, errors).toBe(0);
    expect(output).toContain('Wrote freshet.config.ts.');
    expect(output).toContain('text     title, body\n');
    expect(output).toMatch(
      /to embed: 40 rows = \d+ texts to buy.*\n {2}about \d{3} tokens \(\d+ to \d+\) in 1 calls, \$0\.0000/,
    );
    expect(output).toContain('has vectors already, in "embedding" (vector(3))');
    expect(output).toContain('CREATE INDEX CONCURRENTLY ON "public"."articles" ("updated_at", "id");');
    expect(output).toMatch(/Next:\n {2}npm run freshet -- run\n$/);

    const run = await freshet('run', '--json');
    expect(readObject(run), run.errors).toMatchObject({ embedded: 40, failed: 0, end: 'complete' });
  });

  it('writes names as they are, and where --output says', async () => {
    const output = 'conf/own.config.mts';
    mkdirSync(pathOf('conf'));
    const written = await init('--yes', '--json', '--table', `public.a.b "c"'s`, '--output', output);

    expect(readObject(written), written.errors).toMatchObject({
      ok: true,
      file: output,
      source: {
        table: `a.b "c"'s`,
        key: ['the id'],
        updatedAt: 'Updated At',
        timeZone: 'UTC',
        textColumns: ["it's"],
      },
      estimate: { rows: 1, isCounted: true, costUsd: 0 },
      next: [`npm run freshet -- run --config ${output}`],
      vectorColumns: [],
    });
    expect(readdirSync(pathOf('conf'))).toEqual(['own.config.mts']);

    const run = await freshet('run', '--config', output, '--json');
    expect(readObject(run), run.errors).toMatchObject({ embedded: 1, failed: 0 });
  });

  it('leaves a file that exists as it is, unless it is told otherwise', async () => {
    writeFileSync(pathOf('freshet.config.ts'), '// mine');

    const refused = await init('--yes', '--table', 'articles');
    expect(refused.code).toBe(2);
    expect(refused.errors).toContain(
      'freshet.config.ts exists, and was left as it is.\n  --force overwrites it.',
    );
    expect(readFileSync(pathOf('freshet.config.ts'), 'utf8')).toBe('// mine');

    const forced = await init('--yes', '--table', 'articles', '--force');
    expect(forced.code, forced.errors).toBe(0);
    expect(readFileSync(pathOf('freshet.config.ts'), 'utf8')).toContain("table: 'public.articles'");
  });

  it('writes no file that another one would hide, or be hidden by', async () => {
    writeFileSync(pathOf('freshet.config.js'), '// mine');

    const { code, errors } = await init('--yes', '--table', 'articles', '--force');
    expect(code).toBe(2);
    expect(errors).toContain(
      'freshet.config.js exists, and of it and freshet.config.ts only one would be read.',
    );
  });

  it('asks nobody without a terminal, and names the flags', async () => {
    const { code, errors } = await init('--table', 'articles');

    expect(code).toBe(2);
    expect(errors).toContain('There is no terminal to ask on.');
    expect(errors).toMatch(/--yes .* --table, --text, --updated-at, .* --model/);
    expect(existsSync(pathOf('freshet.config.ts'))).toBe(false);
  });

  it('asks for the table where several can be, and says why one cannot', async () => {
    const several = await init('--yes');
    expect(several.code).toBe(2);
    expect(several.errors).toContain('2 tables can be embedded: --table names one of them.');

    const unfit = await init('--yes', '--table', 'events');
    expect(unfit.code).toBe(2);
    expect(unfit.errors).toContain('public.events has no key');
    expect(unfit.errors).toContain('ALTER TABLE "public"."events" ADD COLUMN updated_at');
  });

  it('escapes the names of tables that it tells of', async () => {
    const { errors } = await init('--yes', '--table', 'x');

    expect(errors).toContain(String.raw`public.x\nfreshet: all is well`);
    expect(errors.split('\n').filter(line => line.includes('all is well') && !line.startsWith('  '))).toEqual(
      [],
    );
    for (const obeyed of ['\u001b', '\u202e']) expect(errors).not.toContain(obeyed);
  });

  it('refuses a time zone that nobody knows before it writes anything', async () => {
    const words = ['--yes', '--table', `public.a.b "c"'s`, '--time-zone', 'Mars/Olympus'];
    const { code, errors } = await init(...words);

    expect(code, errors).toBe(2);
    expect(errors).toContain('Mars/Olympus');
    expect(existsSync(pathOf('freshet.config.ts'))).toBe(false);
  });

  it('needs a database that somebody named', async () => {
    const { code, errors } = await freshet('init', '--yes');

    expect(code).toBe(2);
    expect(errors).toContain('DATABASE_URL is not set: init does not know which database to look at.');
  });
});
