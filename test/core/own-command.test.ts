import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { deploymentLine, FRESHET, lineOnStage } from '../../lib/core/own-command.ts';

const root = path.resolve(import.meta.dirname, '../..');

test('a stage is named by itself, or by the stack of one’s own that holds it', () => {
  expect(FRESHET).toBe('npm run freshet --');
  expect(lineOnStage('status', { stage: 'prod' })).toBe('npm run freshet -- aws status --stage prod');
  expect(lineOnStage('status', { stage: 'blog', stack: 'shop' })).toBe(
    'npm run freshet -- aws status --stack shop --stage blog',
  );
  expect(deploymentLine({ stage: 'prod' })).toBe('npm run deploy -- --stage prod');
  expect(deploymentLine({ stage: 'blog', stack: 'shop' })).toBe('npx cdk deploy shop');
});

/** `bin/require-node.cjs` says it in a checkout alone. */
const KNOWN = ['lib/core/own-command.ts', 'bin/require-node.cjs'];

test('no text names the command by itself: in an installed package it has another name', () => {
  const files = ['lib', 'bin', 'functions'].flatMap(folder =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' }).map(file =>
      path.posix.join(folder, file.split(path.sep).join('/')),
    ),
  );
  const naming = files
    .filter(file => /\.c?[tj]s$/.test(file) && !KNOWN.includes(file))
    .filter(file =>
      readFileSync(path.join(root, file), 'utf8')
        .split('\n')
        .some(
          line => /npm (run )?(--silent )?(freshet|start\b)/.test(line) && !/^\s*(\*|\/\/|\/\*)/.test(line),
        ),
    );

  expect(files.length).toBeGreaterThan(300);
  expect(naming).toEqual([]);
});
