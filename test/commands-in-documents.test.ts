import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseCommand } from './support/parse-command.ts';

const root = path.resolve(import.meta.dirname, '..');
const DOCUMENTS = ['README.md', 'docs/deployment.md', 'docs/commands.md', 'docs/operations.md'];

/** Commands stand in code: between backticks, or in a line of a block. What follows a `#` is told to people, and so is what a command prints of itself. */
function commandsOf(text: string): string[] {
  const spans = [...text.matchAll(/`([^`\n]+)`/g)].map(match => match[1]!);
  const lines = text.split('\n').filter(line => /^\s+\S/.test(line) || /^(npm|npx) /.test(line));
  return [...spans, ...lines]
    .flatMap(code => code.split(/ && |; /))
    .map(code => code.replace(/\s#.*$/, '').trim())
    .map(code => code.replace(/^([A-Z_]+=\S+ )+/, ''))
    .filter(code => !/\[flags\]|<command>/.test(code))
    .filter(code => /^(npm (run|start|ci|cit|test|pack)|npx cdk)\b/.test(code));
}

describe.each(DOCUMENTS)('the commands in %s', document => {
  const commands = commandsOf(readFileSync(path.join(root, document), 'utf8'));

  test('are there', () => {
    expect(commands.length).toBeGreaterThan(2);
  });

  test.each([...new Set(commands)])('%s is one that can be typed', async command => {
    await expect(parseCommand(command)).resolves.toBeDefined();
  });
});

test.each([
  ['npm run deply', 'package.json has no script deply'],
  ['npm run deploy --stage prod', 'npm keeps --stage for itself'],
  ['npm run deploy -- --stag prod', 'Did you mean --stage?'],
  ['npm run freshet -- aws redrve', 'there is no such command'],
  ['npm run freshet -- status --aply', '--aply is not a flag'],
  ['npx cdk deploy -c stage=prod', 'name the stacks, or --all'],
  ['npx cdk synth -c stag=prod', '-c stag: not read'],
])('%s would not pass', async (command, reason) => {
  await expect(parseCommand(command)).rejects.toThrow(reason);
});
