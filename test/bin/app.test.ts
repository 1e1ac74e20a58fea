import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { MODEL_PREFIX, servedModel } from '../factories/gpu-endpoint-stack.ts';
import { configInput } from '../factories/pipeline-stack.ts';
import { runApp } from './run-app.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'freshet-app-'));
afterAll(() => rmSync(folder, { recursive: true }));

/**
 * Nothing is bundled, as for `cdk ls`, and the CDK's own rules for templates, which take seconds, are left out: the test of the assets has both.
 */
function synthesise(context: Record<string, string>) {
  return runApp(
    path.join(folder, 'cdk.out'),
    { 'aws:cdk:bundling-stacks': [], ...context },
    { CDK_VALIDATION: 'false' },
  );
}

test('a bare synth describes the demo, needs no credentials, and leaves nothing for git', () => {
  const { status, stderr } = synthesise({});

  expect(status, stderr).toBe(0);
  const files = readdirSync(path.join(folder, 'cdk.out'));
  expect(files).toContain('freshet-dev.template.json');
  expect(readFileSync(path.join(folder, 'cdk.out', '.gitignore'), 'utf8').trim()).toBe('*');
});

test.each([
  [{ stage: 'de' }, '"de" is no stage of the configuration (known: dev). Did you mean -c stage=dev?'],
  [{ paused: 'maybe' }, '-c paused=maybe is neither true nor false.'],
  [{ config: 'nowhere.ts' }, 'The configuration nowhere.ts does not exist.'],
])('a mistake is told in a sentence, without a stack: %j', (context, sentence) => {
  const { status, stderr } = synthesise(context);

  expect(status).toBe(2);
  expect(stderr).toContain(sentence);
  expect(stderr).not.toMatch(/\n\s+at /);
});

test('a GPU endpoint that would not start is refused before anything is bundled', () => {
  const config = path.join(folder, 'gpu.config.ts');
  const described = configInput({
    models: ['e5'],
    modelSettings: { e5: servedModel },
    stage: { region: 'eu-west-3', gpu: { model: 'e5', modelPrefix: MODEL_PREFIX } },
  });
  writeFileSync(config, `export default ${JSON.stringify(described)};`);

  const { status, stderr } = synthesise({ config, stage: 'test' });

  expect(status).toBe(2);
  expect(stderr).toContain(
    'SageMaker in eu-west-3 does not scale to zero: set aws.stages.test.gpu.minCopies to 1',
  );
});
