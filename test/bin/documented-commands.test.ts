import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { flagsAt, listCommands } from '../../bin/commands/help.ts';
import { readCommand } from '../../bin/commands/run-command.ts';
import { createStubbedConsole } from '../doubles/stubbed-console.ts';
import { createObservedStack } from '../factories/observed-stack.ts';
import { importClosure } from '../import-closure.ts';
import { parseCommand, shellLinesOf, wordsOf } from '../pages/typed-commands.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const { scripts } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};
const PAGES = [
  'README.md',
  ...readdirSync(path.join(ROOT, 'docs'))
    .filter(file => file.endsWith('.md'))
    .map(file => `docs/${file}`),
];

/** What npm itself understands. */
const OF_NPM = ['ci', 'cit', 'start', 'test', 'pack', 'install'];
/** Commands of packages that the repository pins. */
const OF_NPX = ['cdk', 'freshet'];

/** Without variables in front, such as `DATABASE_URL=…`. */
const afterVariables = (command: string) => command.replace(/^(?:[A-Z_]+=\S+ )+/, '');

/** Of a script of ours: each flag is one that its sources name. */
function requireFlags(script: string, args: readonly string[]): void {
  const [, entry] = /^node (?:-r \S+ )?(\S+\.ts)(?: \w+)?$/.exec(script) ?? [];
  if (entry === undefined) return;
  const source = [...importClosure(entry).values()].join('\n');
  for (const [, flag] of args.join(' ').matchAll(/(?:^| )--([a-z][a-z-]*)/g))
    if (!new RegExp(`(?:^|[{,])\\s*'?${flag}'?: `, 'm').test(source))
      throw new Error(`--${flag}: ${entry} has no such flag`);
}

/** Words of `freshet`; undefined where the command is another program's. Throws where there is no such script. */
function freshetWords(command: string): string[] | undefined {
  const [program, ...rest] = wordsOf(afterVariables(command));
  if (program === 'freshet') return rest;
  if (program === 'npx') {
    const [tool, ...words] = rest.filter(word => word !== '--no-install');
    if (!OF_NPX.includes(tool!) && tool !== 'node') throw new Error(`npx ${tool}: not one of ours`);
    return tool === 'freshet' ? words : undefined;
  }
  if (program !== 'npm') return undefined;
  const [verb, ...words] = rest;
  if (verb !== 'run') {
    if (!OF_NPM.includes(verb!)) throw new Error(`npm ${verb}: not a command that is documented here`);
    return undefined;
  }
  const [script, ...args] = words.filter(word => word !== '--silent');
  if (!Object.hasOwn(scripts, script!)) throw new Error(`npm run ${script}: there is no such script`);
  if (script !== 'freshet') {
    requireFlags(scripts[script!]!, args);
    return undefined;
  }
  const separator = args.indexOf('--');
  if (separator !== 0) throw new Error('npm run freshet takes its words after two dashes');
  return args.slice(1);
}

/** Read by the parser of the script, and as the CDK reads its own. */
const OF_A_DEPLOYMENT = /^(npx cdk|npm run (deploy|destroy|smoke)) /;

/** Where a page leaves something to its reader. */
const OPEN = /…$/;

describe('what the pages ask to type', () => {
  test.each(PAGES)('exists: %s', async page => {
    const lines = shellLinesOf(page, readFileSync(path.join(ROOT, page), 'utf8'));
    const problems: string[] = [];
    for (const { place, command } of lines) {
      try {
        const typed = command.replace(OPEN, '').trim();
        const words = freshetWords(typed);
        if (words !== undefined) readCommand(words);
        else if (OF_A_DEPLOYMENT.test(typed)) await parseCommand(typed);
      } catch (error) {
        problems.push(`${place}: ${command}: ${(error as Error).message}`);
      }
    }
    expect(problems).toEqual([]);
  });

  test('is found where it stands: in fences, in indented blocks and in sentences', () => {
    const text = [
      'Type `npm run freshet -- aws status`, not `npm`.',
      '',
      '    $ DATABASE_URL=x npm run bench   # slow',
      '    not a command',
      '```sh',
      'npm ci && npm start',
      '```',
      '```ts',
      'npm run nothing',
      '```',
    ].join('\n');

    expect(shellLinesOf('a.md', text)).toEqual([
      { place: 'a.md:1', command: 'npm run freshet -- aws status' },
      { place: 'a.md:3', command: 'DATABASE_URL=x npm run bench' },
      { place: 'a.md:6', command: 'npm ci' },
      { place: 'a.md:6', command: 'npm start' },
    ]);
  });

  test.each([
    ['npm run deploy --stage prod', 'npm keeps --stage for itself'],
    ['npm run deploy -- --stag prod', 'Did you mean --stage?'],
    ['npx cdk deploy -c stage=prod', 'name the stacks, or --all'],
    ['npx cdk synth -c stag=prod', '-c stag: not read'],
  ])('would not pass as %s', async (command, reason) => {
    await expect(parseCommand(command)).rejects.toThrow(reason);
  });

  test('fails for a script, a command or a flag that is not there', async () => {
    expect(() => freshetWords('npm run nothing')).toThrow('there is no such script');
    expect(() => freshetWords('npm run deploy -- --stagee prod')).toThrow('--stagee: bin/aws/main.ts has');
    expect(() => freshetWords('npm run freshet status')).toThrow('two dashes');
    expect(() => readCommand(freshetWords('npm run freshet -- aws staus')!)).toThrow('aws status');
    expect(() => readCommand(freshetWords('npx freshet status --bla')!)).toThrow('--bla');
  });
});

describe('the outputs of the stack', () => {
  const outputs = createObservedStack().template.findOutputs('*') as Record<string, { Value: unknown }>;
  const commands = Object.entries(outputs).flatMap(([name, { Value }]) =>
    name.includes('Command') ? [[name, String(Value)] as const] : [],
  );

  test('name commands of a deployed stage, and every one that changes something', () => {
    const reads = commands.map(([, line]) => readCommand(freshetWords(line)!));
    const named = new Set(reads.map(read => ('name' in read ? read.name : read.kind)));
    const known = listCommands('stage').map(([name]) => `aws ${name}`);
    const changing = listCommands('stage').filter(([, command]) => 'apply' in flagsAt(command, 'stage'));

    expect(known).toEqual(expect.arrayContaining([...named]));
    expect([...named]).toEqual(expect.arrayContaining(changing.map(([name]) => `aws ${name}`)));
  });

  test.each(commands)('%s is a line that the parser takes, of this stage: %s', async (_, line) => {
    expect(readCommand(freshetWords(line)!)).toMatchObject({
      kind: 'command',
      values: { stage: 'test' },
    });
  });

  test('reset and retry say what they would do, and change nothing', async () => {
    const console = createStubbedConsole();
    console.answers.set('plan-reset', () => ({ answer: { spaces: [] } }));
    console.answers.set('failures', () => ({ answer: { failures: [] } }));
    for (const name of ['ResetCommand', 'RetryCommand']) {
      const words = freshetWords(String(outputs[name]?.Value))!.slice(1, -2);
      expect(await console.run(words.join(' '))).toMatchObject({ code: 0 });
    }

    expect(console.asked.map(({ request }) => request)).toEqual(['plan-reset', 'failures']);
  });
});
