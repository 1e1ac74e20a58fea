import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { smokeFlags, smokeStage } from '../../../bin/aws/smoke-stage.ts';
import { deployFlags, deployStage, destroyFlags, destroyStage } from '../../../bin/aws/stages.ts';
import { readFlags } from '../../../bin/terminal/flags.ts';
import { COMPATIBLE_FROM } from '../../../lib/adapters/sql/migrations/migrate.ts';
import { createScriptedAws } from '../../doubles/scripted-aws.ts';

const CONTEXT = ['-c', 'stage=smoke', '-c', 'example=true'];
const BOTH = ['freshet-smoke-database', 'freshet-smoke'];

describe('deploy', () => {
  test('says account and region before it deploys, and the outputs after it', async () => {
    const { world, said, cdkWords } = createScriptedAws();
    await deployStage(world, { stage: 'smoke', example: true });

    expect(said[0]).toBe(
      'Deploying freshet-smoke-database and freshet-smoke to account 111122223333, eu-west-1.',
    );
    expect(cdkWords).toEqual([['deploy', ...BOTH, ...CONTEXT]]);
    expect(said).toContain('  QueueUrlstaticfresh = https://sqs/fresh');
    expect(said.join('\n')).not.toContain('PublishOutput');
  });

  test('says before it begins what going back would mean', async () => {
    const { world, said } = createScriptedAws();
    const { cdk } = world;
    const saidBefore: string[] = [];
    await deployStage(
      {
        ...world,
        cdk: async (words, identity) => {
          saidBefore.push(...said);
          await cdk(words, identity);
        },
      },
      { stage: 'prod', example: false },
    );

    expect(saidBefore.join('\n')).toContain(
      `To go back later, deploy a Freshet that needs schema version ${COMPATIBLE_FROM} or newer`,
    );
  });

  test('passes on what it was told', async () => {
    const { world, cdkWords } = createScriptedAws();
    await deployStage(world, { stage: 'prod', config: 'a.ts', example: false, paused: true, yes: true });

    expect(cdkWords).toEqual([
      [
        ...['deploy', 'freshet-prod', '-c', 'stage=prod', '-c', 'config=a.ts'],
        ...['-c', 'paused=true', '--require-approval', 'never'],
      ],
    ]);
  });
});

describe('destroy', () => {
  test('does nothing without --yes, and says what it would delete and where', async () => {
    const { world, cdkWords, stacks } = createScriptedAws();
    stacks.add('freshet-smoke');

    await expect(destroyStage(world, { stage: 'smoke', example: false })).rejects.toThrow(
      'This deletes freshet-smoke in account 111122223333, eu-west-1. Nothing was done yet.',
    );
    expect(cdkWords).toEqual([]);
  });

  test('refuses a stage that is not deployed', async () => {
    const { world, cdkWords } = createScriptedAws();

    await expect(destroyStage(world, { stage: 'other', example: true, yes: true })).rejects.toThrow(
      'There is no stack freshet-other-database or freshet-other in account 111122223333, eu-west-1.',
    );
    expect(cdkWords).toEqual([]);
  });

  test('empties the bucket, and again where the deletion failed because a function put one more object', async () => {
    const { world, cdkWords, said, stacks } = createScriptedAws({ cdkFailures: 1, objects: [7, 1] });
    stacks.add('freshet-smoke');
    await destroyStage(world, { stage: 'smoke', example: false, yes: true });

    expect(cdkWords).toHaveLength(2);
    expect(said.filter(line => line.includes('claims'))).toEqual([
      '  7 objects deleted from claims',
      '  1 objects deleted from claims',
    ]);
    expect([...stacks]).toEqual([]);
  });
});

describe('a GPU endpoint of the stage', () => {
  test('goes with the stage: an instance that nobody asks for would be paid by the hour', async () => {
    const { world, cdkWords, stacks } = createScriptedAws();
    stacks.add('freshet-prod').add('freshet-prod-gpu');

    await expect(destroyStage(world, { stage: 'prod', example: false })).rejects.toThrow(
      'This deletes freshet-prod-gpu and freshet-prod in account',
    );
    await destroyStage(world, { stage: 'prod', example: false, yes: true });

    expect(cdkWords).toEqual([
      ['destroy', 'freshet-prod-gpu', 'freshet-prod', '-c', 'stage=prod', '--force'],
    ]);
  });

  test('comes up before the pipeline, which depends on it, and its outputs are told', async () => {
    const { world, cdkWords, said, stacks } = createScriptedAws();
    stacks.add('freshet-prod-gpu');

    await deployStage(world, { stage: 'prod', example: false });

    expect(cdkWords).toEqual([['deploy', 'freshet-prod', '-c', 'stage=prod']]);
    expect(said).toContain('freshet-prod-gpu:');
  });
});

describe('smoke', () => {
  test('deploys, embeds, edits, redrives and destroys, each step with its time', async () => {
    const { world, said, stacks, cdkWords } = createScriptedAws();
    await smokeStage(world, { stage: 'smoke', keep: false });

    expect(said.filter(line => line.startsWith('·'))).toEqual([
      '· deploy the example database and a pipeline on it',
      '· embed the 2000 rows of the sample',
      '· insert a row, and find it embedded',
      '· edit the row, find it stale, and find it embedded',
      '· make a dead letter',
      '· redrive it, and find its row embedded',
      '· destroy',
    ]);
    expect(said.filter(line => /^ {2}\d+\.\d s$/.test(line))).toHaveLength(7);
    expect(said).toContain('    the dead letter: 1 dead letters');
    expect(said.at(-1)).toMatch(/^The smoke test passed in \d+\.\d s\.$/);
    expect([...stacks]).toEqual([]);
    expect(cdkWords.map(([word]) => word)).toEqual(['deploy', 'destroy']);
  });

  test('works through the list of the page, in its order', async () => {
    const page = readFileSync(path.resolve(import.meta.dirname, '../../../docs/deployment.md'), 'utf8');
    const { world, said } = createScriptedAws();
    await smokeStage(world, { stage: 'smoke', keep: false });

    const steps = said
      .filter(line => line.startsWith('·'))
      .map((line, place) => `${place + 1}.${line.slice(1)}`);
    expect(page).toContain(`\n\n${steps.join('\n')}\n\n`);
  });

  test('grows the sample, by as many requests as it takes, to the rows that are asked for', async () => {
    const { world, said } = createScriptedAws();
    await smokeStage(world, { stage: 'smoke', rows: 3_200, keep: false });

    expect(said.filter(line => line.startsWith('·')).slice(1, 3)).toEqual([
      '· grow the sample to 3200 rows',
      '· embed the 3200 rows of the sample',
    ]);
    expect(said).toContain('    coverage of 3201 rows: 100 % (3201 of 3201 fresh, 0 failed)');
  });

  test('takes as many rows as the sample has, or more', () => {
    expect(readFlags(['--rows', '100000'], smokeFlags).values).toEqual({ rows: 100_000 });
    expect(() => readFlags(['--rows', '10'], smokeFlags)).toThrow('a whole number from 2000 to 1000000');
  });

  test('keeps what it deployed where that is asked for', async () => {
    const { world, stacks } = createScriptedAws();
    await smokeStage(world, { stage: 'smoke', keep: true });

    expect([...stacks]).toEqual(BOTH);
  });

  test('fails with the step and what was seen last, and says how to delete what it leaves', async () => {
    const { world, said, stacks } = createScriptedAws({ idle: true });

    await expect(smokeStage(world, { stage: 'smoke', keep: false })).rejects.toThrow(
      'coverage of 2000 rows: not within 15 minutes; seen last: 0 % (0 of 2000 fresh, 0 failed).',
    );
    expect(said.at(-2)).toMatch(/^FAILED after 90\d\.\d s: embed the 2000 rows of the sample$/);
    expect(said.at(-1)).toContain('npm run destroy -- --stage smoke --example --yes');
    expect([...stacks]).toEqual(BOTH);
  });

  test('fails where what was redriven is lost, with the event source open again', async () => {
    const { world, said, eventSourceState } = createScriptedAws({ losesRedriven: true });

    await expect(smokeStage(world, { stage: 'smoke', keep: false })).rejects.toThrow(/coverage of 2002 rows/);
    expect(said.at(-2)).toContain('redrive it');
    expect(eventSourceState()).toBe('Enabled');
  });
});

describe.each(['deploy', 'destroy', 'smoke'])('npm run %s', command => {
  const run = (env: Record<string, string>, words: readonly string[] = []) => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [path.resolve(import.meta.dirname, '../../../bin/aws/main.ts'), command, ...words],
      // Neither the account of whoever runs the tests nor that of the machine.
      {
        encoding: 'utf8',
        env: { PATH: process.env.PATH, HOME: tmpdir(), AWS_EC2_METADATA_DISABLED: 'true', ...env },
      },
    );
    return { status, text: stdout + stderr };
  };

  test('ends with a sentence where there is no region, and where there are no credentials', () => {
    const noRegion = run({});
    const noCredentials = run({ AWS_REGION: 'eu-west-1' });

    expect(noRegion.status).toBe(2);
    expect(noRegion.text).toMatch(/^freshet: No AWS region is set\.\n {2}--region/);
    expect(noCredentials.status).toBe(2);
    expect(noCredentials.text).toMatch(
      /^freshet: No AWS credentials were found \(sts:GetCallerIdentity\)\.\n/,
    );
    expect(noCredentials.text.split('\n')).toHaveLength(3);
  });

  test('refuses a flag that it does not know', () => {
    expect(run({}, ['--stag', 'prod'])).toMatchObject({
      status: 2,
      text: expect.stringContaining('Did you mean --stage?'),
    });
  });

  test('says what it does and which flags it has', () => {
    const { status, text } = run({}, ['--help']);

    expect(status).toBe(0);
    expect(text).toMatch(new RegExp(`^npm run ${command} -- \\[flags\\]: .*\n\n  --stage NAME +the stage\n`));
    expect(text).toContain('--help');
  });

  test('refuses what npm did not pass on as a flag', () => {
    const { status, text } = run({}, ['prod']);

    expect(status).toBe(2);
    expect(text).toContain(
      `freshet: ${command} takes no argument, got "prod".\n  npm run ${command} -- [flags]: two dashes`,
    );
  });
});

test('a stage has a name that a stack can have', () => {
  for (const flags of [deployFlags, destroyFlags, smokeFlags])
    expect(() => readFlags(['--stage', 'My Stage'], flags)).toThrow(
      '--stage "My Stage": expected the name of a stage: lower-case letters, digits and dashes, at most 20, a letter first.',
    );
});
