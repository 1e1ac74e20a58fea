import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { EXIT_CODES } from '../../bin/commands/command.ts';
import { makeFolder, readObject, runCli } from './run-cli.ts';

const { directory, remove } = makeFolder();
afterAll(remove);

describe('the command line', () => {
  it('lists its commands', async () => {
    const result = await runCli(directory, ['help']);

    expect(result.code).toBe(0);
    for (const name of [
      'start',
      'run',
      'status',
      'search',
      'failures',
      'retry',
      'models',
      'migrate',
      'doctor',
      'sql',
    ])
      expect(result.output).toMatch(new RegExp(`^  ${name} `, 'm'));
  });

  it('tells every exit code where it lists its commands', async () => {
    const { output } = await runCli(directory, ['help']);

    for (const [code, meaning] of Object.entries(EXIT_CODES))
      expect(output).toContain(`  ${code.padEnd(9)}  ${meaning}\n`);
  });

  it('refuses a Node on which a run would break off, before it creates anything', async () => {
    const pretend = 'Object.defineProperty(process,"versions",{value:{...process.versions,node:"22.18.0"}})';
    const result = await runCli(directory, ['start', '--json'], {
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(pretend)}`,
    });

    expect(result.code).toBe(2);
    expect(readObject(result)).toMatchObject({
      error: { message: expect.stringContaining('needs Node 22.19 or newer; this is Node 22.18.0') },
    });
    expect(existsSync(join(directory, '.freshet'))).toBe(false);
  });

  it.each([
    [['strat'], '"strat" is not a command. Did you mean start?'],
    [['run', '--bach-size', '10'], '--bach-size is not a flag of this command. Did you mean --batch-size?'],
    [['run', '--batch-size', 'many'], '--batch-size "many": expected a whole number from 1 to 2048.'],
    [['run', 'now'], 'run takes no argument, got "now".'],
    [['status', '--limit', '3'], '--limit is not a flag of this command.'],
    [['status'], 'There is no embedded database in'],
    [['search'], 'search needs a text.'],
    [['search', '\u200b\u2800'], 'search needs a text.'],
    [['aws', '--stage', 'prod', 'status'], '--stage stands before the command: aws status --stage …'],
    [['--limit', '3'], '--limit stands before the command: start --limit …'],
    [['aws', 'help', 'staus'], '"aws staus" is not a command. Did you mean aws status?'],
    [['models', 'chekc'], 'models takes no argument, check or publish, got "chekc".'],
    [['run', '--config', 'none.ts'], 'The configuration none.ts does not exist.'],
    [['run', '--config', '.'], '--config names the folder '],
    [['search', 'cats', '--filter', '@none.json'], '--filter: the file none.json cannot be read (ENOENT).'],
    [['run', '--database-url', 'mysql://user:secret@host/db'], '--database-url is not a PostgreSQL URL.'],
    [['retry', '--class', 'item', '--item', '1'], 'retry takes --class or --item, not both.'],
  ])('ends %j with code 2 and says why', async (words, message) => {
    const result = await runCli(directory, words);

    expect(result.errors).toContain(message);
    expect(result.errors).not.toContain('secret');
    expect(result).toMatchObject({ code: 2, output: '' });
  });

  it('keeps the demo off the database that DATABASE_URL names, and says so', async () => {
    const result = await runCli(directory, ['status'], { DATABASE_URL: 'postgres://127.0.0.1:1/other' });

    expect(result).toMatchObject({ code: 2, output: '' });
    expect(result.errors).toContain('DATABASE_URL is set and not used: there is no freshet.config.ts here');
    expect(result.errors).toContain('There is no embedded database in');
  });

  it.each([
    [['help', 'run'], 'npm run freshet -- run [flags]'],
    [['help', 'aws'], 'npm run freshet -- aws <command>'],
    [['help', 'aws', 'redrive'], 'npm run freshet -- aws redrive [flags]'],
    [['aws', 'help', 'redrive'], 'npm run freshet -- aws redrive [flags]'],
  ])('explains a command that stands after help: %j', async (words, expected) => {
    const result = await runCli(directory, words);

    expect(result.output).toContain(expected);
    expect(result.code).toBe(0);
  });

  it('gives an error as one object under --json', async () => {
    const result = await runCli(directory, ['run', '--concurrency', '0', '--json']);

    expect(result.code).toBe(2);
    expect(readObject(result)).toEqual({
      error: { message: '--concurrency "0": expected a whole number from 1 to 256.' },
    });
  });

  it('names a misspelt key of the configuration by its path and creates nothing', async () => {
    writeFileSync(
      join(directory, 'freshet.config.ts'),
      `export default { sources: [{ name: 'a', table: 'a', text: { colums: ['t'] }, model: 'hash' }] };`,
    );

    const result = await runCli(directory, ['start']);

    expect(result.code).toBe(2);
    expect(result.errors).toContain(
      'sources[0].text.colums: is not a known key; did you mean "columns"? (known: columns, template)',
    );
    expect(existsSync(join(directory, '.freshet'))).toBe(false);
  });

  it.each(['a folder', 'a file without its extension'])(
    'says what a configuration throws that imports %s',
    async imported => {
      const project = join(directory, imported.replaceAll(' ', '-'));
      const part = imported === 'a folder' ? 'sources/index.ts' : 'sources.ts';
      mkdirSync(dirname(join(project, part)), { recursive: true });
      writeFileSync(join(project, part), `export const a = 'a';\n`);
      writeFileSync(
        join(project, 'freshet.config.ts'),
        `import { a } from './sources';\nif (a === 'a') throw new Error('HOST is not set');\nexport default {};\n`,
      );

      const result = await runCli(project, ['run']);

      expect(result.errors).toContain('HOST is not set');
      expect(result.errors).not.toContain('--config');
      expect(result.code).toBe(2);
    },
  );

  it('asks for the missing key of a provider before it creates anything', async () => {
    writeFileSync(
      join(directory, 'keyless.ts'),
      `export default { sources: [{ name: 'a', table: 'a', text: { columns: ['t'] }, model: 'openai' }] };`,
    );

    const result = await runCli(directory, ['run', '--config', 'keyless.ts']);

    expect(result.code).toBe(2);
    expect(result.errors).toContain('OPENAI_API_KEY is not set');
    expect(existsSync(join(directory, '.freshet'))).toBe(false);
  });
});
