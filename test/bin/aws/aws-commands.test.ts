import { DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import {
  GetEventSourceMappingCommand,
  GetFunctionConfigurationCommand,
  InvokeCommand,
  ListTagsCommand,
  TagResourceCommand,
  UpdateEventSourceMappingCommand,
} from '@aws-sdk/client-lambda';
import { GetScheduleCommand, UpdateScheduleCommand } from '@aws-sdk/client-scheduler';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { beforeEach, describe, expect, test } from 'vitest';
import { createStubbedConsole, DEPLOYMENT, refusal } from '../../doubles/stubbed-console.ts';

let console: ReturnType<typeof createStubbedConsole>;
beforeEach(() => {
  console = createStubbedConsole();
});

const pause = { scope: 'pipeline', reason: 'operator', detail: 'OPS-1', since: '2026-01-01' };
const plan = {
  source: 'ai_items',
  model: 'small',
  ...{ rows: 12_000, texts: 9_000, duplicates: 3_000, copied: 0, touched: 0, excluded: 0, sampledShare: 1 },
  ...{ calls: 90, tokens: 90_000, leastTokens: 87_300, mostTokens: 92_700, seconds: 30 },
  ...{ costUsd: 0.0018, leastCostUsd: 0.0017, mostCostUsd: 0.0019, batch: null },
  aws: { costUsd: 0.002, callMs: 512, isMeasured: true },
};

describe('finding the deployment', () => {
  test('echoes account, region and stage before anything else', async () => {
    const { code, errors } = await console.run('status');

    expect(code).toBe(0);
    expect(errors).toMatch(/^Account 111122223333 · eu-central-1 · stage prod\n/);
  });

  test('names the stage and the region where there is no stack', async () => {
    console.stubs.cloudFormation.on(DescribeStacksCommand).rejects(refusal('ValidationError'));

    const { code, errors } = await console.run('status');

    expect(code).toBe(2);
    expect(errors).toContain('There is no stack freshet-prod in eu-central-1 of account 111122223333.');
    expect(errors).toContain('npm run deploy -- --stage prod');
  });

  test('says that a stack of an older version must be deployed again', async () => {
    console.stubs.cloudFormation.on(DescribeStacksCommand).resolves({ Stacks: [{ Outputs: [] } as never] });

    expect((await console.run('status')).errors).toContain('has no output OperateFunctionName');
  });

  describe('in a stack of an app of one’s own', () => {
    const deployed = (...stages: string[]) => {
      console.stubs.cloudFormation.on(DescribeStacksCommand).resolves({
        Stacks: [
          {
            Outputs: stages.map((stage, place) => ({
              OutputKey: `Embeddings${place}OperateFunctionName1A2B3C4D`,
              OutputValue: `operate-of-${stage}`,
            })),
          } as never,
        ],
      });
      console.stubs.lambda.on(GetFunctionConfigurationCommand).callsFake(({ FunctionName }) => ({
        Environment: {
          Variables: {
            FRESHET_DEPLOYMENT: JSON.stringify({
              ...DEPLOYMENT,
              stage: FunctionName.replace('operate-of-', ''),
            }),
          },
        },
      }));
    };
    const askedFunctions = () =>
      console.stubs.lambda.commandCalls(InvokeCommand).map(({ args: [{ input }] }) => input.FunctionName);

    test('finds the only stage by the stack alone', async () => {
      deployed('blog');

      const { code, errors, output } = await console.runIn('status --json --stack shop');

      expect(errors).toMatch(/^Account 111122223333 · eu-central-1 · stack shop\n/);
      expect(code).toBe(0);
      expect(JSON.parse(output).stage).toBe('blog');
      expect(askedFunctions()).toEqual(['operate-of-blog']);
      expect(
        console.stubs.cloudFormation.commandCalls(DescribeStacksCommand).map(call => call.args[0].input),
      ).toEqual([{ StackName: 'shop' }]);
    });

    test('asks which one of several is meant, and takes the one that is named', async () => {
      deployed('blog', 'store');

      const open = await console.runIn('status --stack shop');
      const other = await console.runIn('status --stack shop --stage wiki');
      const named = await console.runIn('status --stack shop --stage store');

      expect([open.code, other.code, named.code]).toEqual([2, 2, 0]);
      expect(open.errors).toContain('The stack shop holds 2 stages: blog, store.');
      expect(open.errors).toContain('--stage blog');
      expect(other.errors).toContain('The stack shop holds no stage wiki, but blog, store.');
      expect(askedFunctions()).toEqual(['operate-of-store']);
    });

    test('says how such a stack is deployed, where it is not there or has no pipeline', async () => {
      deployed();
      const empty = await console.runIn('status --stack shop');
      console.stubs.cloudFormation.on(DescribeStacksCommand).rejects(refusal('ValidationError'));
      const missing = await console.runIn('status --stack shop');

      expect(empty.errors).toContain('or its construct is in a nested stack');
      expect(missing.errors).toContain('There is no stack shop in eu-central-1');
      expect(missing.errors).toContain('npx cdk deploy shop');
    });
  });

  test.each([
    [
      'CredentialsProviderError',
      'Could not load credentials from any providers',
      /No AWS credentials were found \(sts:GetCallerIdentity\)/,
    ],
    ['CredentialsProviderError', 'The SSO session has expired or is invalid', /credentials have expired/],
    ['ExpiredToken', 'CANARY', /credentials have expired \(sts:GetCallerIdentity\)/],
    ['InvalidClientTokenId', 'CANARY', /does not know these credentials/],
  ])('tells what to do about %s (%s)', async (name, message, expected) => {
    console.stubs.sts.on(GetCallerIdentityCommand).rejects(refusal(name, message));

    const { code, errors } = await console.run('status');

    expect(code).toBe(2);
    expect(errors).toMatch(expected);
    expect(errors).toContain('aws sso login');
    expect(errors).not.toContain('CANARY');
  });

  test('names the action that was refused', async () => {
    console.stubs.lambda.on(GetFunctionConfigurationCommand).rejects(refusal('AccessDeniedException'));

    const { code, errors } = await console.run('status --json');

    expect(code).toBe(2);
    expect(errors).toContain('AWS refused lambda:GetFunctionConfiguration');
    expect(errors).not.toContain('CANARY');
  });

  test.each([
    [
      'ENOTFOUND',
      'AWS was not reached for sts:GetCallerIdentity: check the name of the region, and the network.',
    ],
    [
      'ECONNRESET',
      'AWS was not reached for sts:GetCallerIdentity: check the name of the region, and the network.',
    ],
    ['TimeoutError', 'AWS did not answer sts:GetCallerIdentity in time: give the command again.'],
    ['ServiceUnavailable', 'AWS could not do sts:GetCallerIdentity just now: give the command again.'],
  ])('does not say that a command is tried again when it is not (%s)', async (code, expected) => {
    const failure = /^E/.test(code) ? Object.assign(new Error('CANARY'), { code }) : refusal(code);
    console.stubs.sts.on(GetCallerIdentityCommand).rejects(failure);

    const plain = await console.run('status');
    const json = await console.run('status --json');

    expect(plain.code).toBe(1);
    expect(plain.errors).toContain(expected);
    expect(plain.errors).not.toContain('CANARY');
    expect(JSON.parse(json.output)).toEqual({ error: { message: expect.stringContaining(expected) } });
  });

  test.each([
    'redrive --per-second 5',
    'reset',
    'retry --class item --item 1',
    'pause --source a --model b',
    'resume --source a --model b',
  ])('refuses flags that do not go together before it asks for credentials: %s', async words => {
    const { code } = await console.run(words);

    expect(code).toBe(2);
    expect(console.stubs.sts.commandCalls(GetCallerIdentityCommand)).toEqual([]);
  });

  test('names the action also where an adapter of the functions asked', async () => {
    console.stubs.lambda.on(GetEventSourceMappingCommand).rejects(refusal('AccessDeniedException'));

    expect((await console.run('status')).errors).toContain('AWS refused lambda:GetEventSourceMapping');
  });
});

describe('a function that fails', () => {
  test('reaches the operator as its sentence', async () => {
    console.stubs.lambda.on(InvokeCommand).resolves({
      FunctionError: 'Unhandled',
      Payload: Buffer.from('{"errorMessage":"The database has no schema freshet yet."}') as never,
    });

    const { code, errors } = await console.run('failures');

    expect(code).toBe(1);
    expect(errors).toContain('freshet-prod-operate failed: The database has no schema freshet yet.');
  });

  test('refuses what was asked wrongly as usage', async () => {
    console.answers.set('pause', () => ({
      error: {
        message: 'There is nothing of that name to pause.',
        failureClass: 'unknown',
        code: 'bad_request',
      },
    }));

    expect(await console.run('pause --source nothing --apply')).toMatchObject({ code: 2 });
  });
});

describe('aws status', () => {
  test('shows queues with their dead letters, and prints one object with --json', async () => {
    console.letters.set('small-bulk', 4).set('small-bulk-dead', 500);
    console.answers.set('status', () => ({
      answer: {
        spaces: [
          {
            source: 'ai_items',
            model: 'small',
            eligible: 3,
            fresh: 3,
            stale: 0,
            inFlight: 0,
            failed: 0,
            excluded: 0,
            coveragePercent: 100,
          },
        ],
        paused: [pause],
        ledger: {
          providerCalls: 2,
          tokens: 30,
          costUsd: 0.1,
          paidAndLostCalls: 1,
          paidAndLostCostUsd: 0.05,
          lastUpdate: null,
        },
      },
    }));

    const { output } = await console.run('status');
    const json = JSON.parse((await console.run('status --json')).output);

    expect(output).toContain('ai_items · small   100.00 % covered');
    expect(output).toContain('paused: pipeline since 2026-01-01: operator – OPS-1');
    expect(output).toMatch(/small\/bulk +4 +0 +500/);
    expect(json).toMatchObject({ account: '111122223333', region: 'eu-central-1', stage: 'prod' });
    expect(json.queues).toContainEqual({ queue: 'small/bulk', visible: 4, inFlight: 0, deadLetters: 500 });
    expect(json.eventSources).toHaveLength(3);
    expect(json.schedules).toContainEqual({ name: 'freshet-prod-full', state: 'enabled' });
  });
});

describe('aws quote', () => {
  const quote = {
    ...{ source: 'ai_items', model: 'small', rows: 5_000, texts: 4_000, duplicates: 1_000, copied: 0 },
    ...{ touched: 0, excluded: 0, sampledShare: 1, calls: 40, tokens: 90_000, leastTokens: 45_000 },
    ...{ mostTokens: 180_000, costUsd: 0.0018, leastCostUsd: 0.0009, mostCostUsd: 0.0036, seconds: null },
    ...{ batch: null, aws: { costUsd: 0.0009, callMs: 500, isMeasured: false } },
  };

  test('asks for one space after the other, and says of each what the provider and AWS are paid', async () => {
    console.answers.set('quote-space', ({ spaceId }) => ({
      answer:
        spaceId === null
          ? { quotes: [quote], next: 2 }
          : { quotes: [{ ...quote, model: 'large', rows: 0, texts: 0, duplicates: 0 }], next: null },
    }));

    const { code, output } = await console.run('quote --source ai_items --currency KRW --rate 1300');

    expect(code).toBe(0);
    expect(console.asked).toEqual([
      { request: 'quote-space', source: 'ai_items', spaceId: null },
      { request: 'quote-space', source: 'ai_items', spaceId: 2 },
    ]);
    expect(output).toContain('ai_items · small   to embed: 5,000 rows = 4,000 texts to buy + 1,000 of the');
    expect(output).toContain('$0.0018 ($0.0009 to $0.0036), KRW 2 (KRW 1 to KRW 5), time not known yet');
    expect(output).toContain(
      '  AWS about $0.0009, KRW 1, for Lambda, SQS, S3 and logs at 500 ms a call, assumed;',
    );
    expect(output.match(/AWS about/g)).toHaveLength(1);
    const json = JSON.parse((await console.run('quote --json')).output);
    expect(json.quotes[0].aws).toEqual({ costUsd: 0.0009, callMs: 500, isMeasured: false });
  });

  test('says that a stage of an older version does not answer it', async () => {
    console.answers.set('quote-space', () => ({
      error: { message: 'There is no such request.', failureClass: 'unknown', code: 'bad_request' },
    }));

    expect((await console.run('quote')).code).toBe(2);
  });
});

describe('aws pause and resume', () => {
  beforeEach(() => {
    console.answers.set('pause', () => ({ answer: { changed: true, paused: [pause] } }));
    console.answers.set('resume', () => ({ answer: { changed: true, paused: [] } }));
  });

  test('change nothing without --apply', async () => {
    const first = await console.run('pause');
    const second = await console.run('resume --now');

    expect([first.code, second.code]).toEqual([0, 0]);
    expect(first.output).toContain('Would pause pipeline; --apply does it.');
    expect(console.asked.map(({ request }) => request)).toEqual(['status', 'status']);
    expect(console.stubs.lambda.commandCalls(UpdateEventSourceMappingCommand)).toEqual([]);
  });

  test('keep the reason and leave the event sources to the guard', async () => {
    const { output } = await console.run('pause --model small --reason OPS-1 --apply');

    expect(console.asked).toEqual([{ request: 'pause', scope: 'model:small', detail: 'OPS-1' }]);
    expect(output).toContain('The guard closes the event sources within a minute.');
    expect(console.stubs.lambda.commandCalls(UpdateEventSourceMappingCommand)).toEqual([]);
  });

  test('close what feeds embed at once with --now, marked as the guard marks, and the schedules; never what writes', async () => {
    const { output } = await console.run('pause --apply --now');

    const closed = console.stubs.lambda
      .commandCalls(UpdateEventSourceMappingCommand)
      .map(call => call.args[0].input);
    expect(closed).toEqual([
      { UUID: 'map-fresh', Enabled: false },
      { UUID: 'map-bulk', Enabled: false },
    ]);
    expect(console.stubs.lambda.commandCalls(TagResourceCommand)[0]?.args[0].input.Tags).toEqual({
      'freshet:paused-by': 'guard',
    });
    const schedules = console.stubs.scheduler
      .commandCalls(UpdateScheduleCommand)
      .map(call => call.args[0].input);
    expect(schedules.map(({ Name, State }) => [Name, State])).toEqual([
      ['freshet-prod-incremental', 'DISABLED'],
      ['freshet-prod-full', 'DISABLED'],
    ]);
    expect(schedules[0]).toMatchObject({
      ScheduleExpression: 'rate(5 minutes)',
      Target: { RoleArn: 'role', Input: '{}' },
    });
    expect(schedules[0]).not.toHaveProperty('Arn');
    expect(output).toContain('closed: schedule freshet-prod-full');
  });

  test('open again with --now what is marked, and leave what somebody closed by hand', async () => {
    console.stubs.lambda
      .on(GetEventSourceMappingCommand)
      .callsFake(({ UUID }) => ({ EventSourceMappingArn: `arn:${UUID}`, State: 'Disabled' }));
    console.stubs.lambda.on(ListTagsCommand).callsFake(({ Resource }) => ({
      Tags: Resource === 'arn:map-bulk' ? { 'freshet:paused-by': 'guard' } : {},
    }));
    console.stubs.scheduler.on(GetScheduleCommand).callsFake(({ Name }) => ({ Name, State: 'DISABLED' }));

    await console.run('resume --apply --now');

    const opened = console.stubs.lambda
      .commandCalls(UpdateEventSourceMappingCommand)
      .map(call => call.args[0].input);
    expect(opened).toEqual([{ UUID: 'map-bulk', Enabled: true }]);
    expect(console.stubs.scheduler.commandCalls(UpdateScheduleCommand)).toHaveLength(2);
  });

  test('open nothing while another reason holds', async () => {
    const provider = { ...pause, reason: 'provider:quota' };
    console.answers.set('resume', () => ({ answer: { changed: true, paused: [provider] } }));

    const { errors } = await console.run('resume --apply --now');

    expect(errors).toContain('Other reasons still hold');
    expect(console.stubs.lambda.commandCalls(UpdateEventSourceMappingCommand)).toEqual([]);
  });

  test('refuse a reason that is long or could hold anything', async () => {
    expect(await console.run(`pause --apply --reason ${'x'.repeat(81)}`)).toMatchObject({ code: 2 });
    expect(await console.run('pause --apply --reason {"text":1}')).toMatchObject({ code: 2 });
    expect(console.asked).toEqual([]);
  });
});

describe('aws backfill', () => {
  test('sets the walk back and begins it now', async () => {
    console.answers.set('backfill', () => ({ answer: { spaces: [{ source: 'ai_items', model: 'small' }] } }));

    const dry = await console.run('backfill');
    const { code } = await console.run('backfill --source ai_items --apply');

    expect([dry.code, code]).toEqual([0, 0]);
    expect(console.asked.filter(({ request }) => request === 'backfill')).toEqual([
      { request: 'backfill', source: 'ai_items' },
    ]);
    const started = console.stubs.lambda
      .commandCalls(InvokeCommand)
      .filter(call => call.args[0].input.InvocationType === 'Event');
    expect(started).toHaveLength(1);
    expect(started[0]?.args[0].input.FunctionName).toBe(DEPLOYMENT.functions.detect);
    expect(JSON.parse(Buffer.from(started[0]?.args[0].input.Payload as Uint8Array).toString())).toEqual({
      pass: 'reconcile',
      sources: ['ai_items'],
    });
  });
});

describe('aws nudge', () => {
  const started = () =>
    console.stubs.lambda
      .commandCalls(InvokeCommand)
      .map(call => call.args[0].input)
      .filter(({ InvocationType }) => InvocationType === 'Event');

  test('starts one look for edits without waiting for it, and asks the database nothing', async () => {
    const { code, output } = await console.run('nudge --json');

    expect(code).toBe(0);
    expect(JSON.parse(output)).toEqual({
      ...{ account: '111122223333', region: 'eu-central-1', stage: 'prod', started: true },
    });
    expect(started()).toMatchObject([{ FunctionName: DEPLOYMENT.functions.detect }]);
    expect(JSON.parse(Buffer.from(started()[0]?.Payload as Uint8Array).toString())).toEqual({
      ...{ pass: 'incremental', nudged: true },
    });
    expect(console.asked).toEqual([]);
  });

  test('starts nothing where every schedule is switched off, and says what switches them on', async () => {
    console.stubs.scheduler.on(GetScheduleCommand).callsFake(({ Name }) => ({ Name, State: 'DISABLED' }));

    const { code, output } = await console.run('nudge');

    expect(code).toBe(1);
    expect(output).toContain('aws resume --now --apply --stage prod');
    expect(started()).toEqual([]);
  });
});

describe('aws reset', () => {
  beforeEach(() => {
    console.answers.set('plan-reset', () => ({ answer: { spaces: [plan] } }));
    console.answers.set('backfill', () => ({ answer: { spaces: [{ source: 'ai_items', model: 'small' }] } }));
    console.answers.set('reset', ({ cursor }) => ({
      answer: { rows: 5_000, cursor: cursor === null ? { spaceId: 1, after: '5000' } : null },
    }));
  });

  test('counts and says what it costs, and changes nothing', async () => {
    const { code, output } = await console.run('reset --model small --older-than 2026-03-01');

    expect(code).toBe(0);
    expect(output).toContain('to embed: 12,000 rows = 9,000 texts to buy + 3,000 of the same text');
    expect(output).toContain(
      'about 90,000 tokens (87,300 to 92,700) in 90 calls, $0.0018 ($0.0017 to $0.0019), about 30.0 s',
    );
    expect(output).toContain('AWS about $0.0020');
    expect(console.asked).toEqual([{ request: 'plan-reset', model: 'small', olderThan: '2026-03-01' }]);
  });

  test('asks again with the cursor until it is null, then begins the walk', async () => {
    const { code, output } = await console.run('reset --all --apply --yes --json');

    expect(code).toBe(0);
    expect(console.asked.map(({ request, cursor }) => [request, cursor])).toEqual([
      ['plan-reset', undefined],
      ['reset', null],
      ['reset', { spaceId: 1, after: '5000' }],
      ['backfill', undefined],
    ]);
    expect(JSON.parse(output)).toMatchObject({ account: '111122223333', applied: true, rows: 10_000 });
  });

  test('says how to go on when it is interrupted, and begins no walk', async () => {
    const stop = new AbortController();
    console.answers.set('reset', () => {
      stop.abort();
      return { answer: { rows: 5_000, cursor: { spaceId: 1, after: '5000' } } };
    });

    const { code, output } = await console.run('reset --all --apply --yes', stop.signal);

    expect(code).toBe(1);
    expect(output).toContain('5,000 rows are stale; interrupted: the same command goes on with the others.');
    expect(console.asked.map(({ request }) => request)).toEqual(['plan-reset', 'reset']);
  });

  test('asks for --yes where there is no terminal, and for a selection', async () => {
    const unasked = await console.run('reset --all --apply');

    expect(unasked).toMatchObject({ code: 2 });
    expect(unasked.errors).toContain('Add --yes');
    expect(await console.run('reset --apply --yes')).toMatchObject({ code: 2 });
    expect(await console.run('reset --all --source ai_items')).toMatchObject({ code: 2 });
    expect(await console.run('reset --older-than 2026-02-30')).toMatchObject({ code: 2 });
    expect(console.asked.filter(({ request }) => request === 'reset')).toEqual([]);
  });
});

describe('aws failures and retry', () => {
  const failures = [
    {
      source: 'ai_items',
      model: 'small',
      failureClass: 'item',
      code: 'content',
      rows: 7,
      exampleIds: ['1', '2'],
      lastAt: null,
    },
  ];

  test('list causes with ids and advice', async () => {
    console.answers.set('failures', () => ({ answer: { failures } }));

    const { output } = await console.run('failures --examples 2');

    expect(output).toContain('ai_items · small: 7 rows, item content, last unknown\n  ids: 1, 2, …\n  try: ');
    expect(console.asked).toEqual([{ request: 'failures', exampleLimit: 2 }]);
  });

  test.each([
    'too-long',
    'timeout',
    'undelivered',
    'invalid_api_key',
    'quota',
    'wrong_dimensions',
    'rate_limit',
    'content',
    'odd',
  ])('advise what can be done on a deployed stage, not flags of a local run: %s', async code => {
    console.answers.set('failures', () => ({ answer: { failures: [{ ...failures[0]!, code }] } }));

    const { output } = await console.run('failures');

    expect(output).toContain('  try: ');
    expect(output).not.toMatch(
      /--(max-chars|timeout-sec|batch-size|concurrency|pause-ms)|OPENAI_API_KEY|then run/,
    );
  });

  test('retry in batches while there are more', async () => {
    let batches = 0;
    console.answers.set('failures', () => ({ answer: { failures } }));
    console.answers.set('retry', () => {
      batches += 1;
      return { answer: { rows: 5_000, more: batches < 3 } };
    });

    const dry = await console.run('retry --class content');
    const { output } = await console.run('retry --class content --apply');

    expect(dry.output).toContain('Up to 7 failed rows match');
    expect(output).toContain('15,000 rows are stale again.');
    expect(batches).toBe(3);
  });
});

describe('aws logs', () => {
  test('reads page by page, follows, and shows each line once', async () => {
    const stop = new AbortController();
    const event = (eventId: string, timestamp: number, name: string) => ({
      ...{ eventId, timestamp },
      message: JSON.stringify({
        level: 'WARN',
        event: name,
        rows: 3,
        component: 'detect',
        stage: 'prod',
        timestamp: 'x',
      }),
    });
    const beganMs = console.clock.now();
    const at = (ms: number) => new Date(beganMs + ms).toISOString();
    let looks = 0;
    console.stubs.logs.on(FilterLogEventsCommand).callsFake(({ nextToken }) => {
      looks += 1;
      if (looks > 4) stop.abort();
      if (nextToken === undefined)
        return { events: [event('1', beganMs + 1_000, 'first')], nextToken: 'more' };
      return { events: [event('2', beganMs + 2_000, 'second')] };
    });

    const { code, output } = await console.run(
      'logs --function detect --since 1h --follow --trouble',
      stop.signal,
    );

    expect(code).toBe(0);
    expect(output.trim().split('\n')).toEqual([
      `${at(1_000)} detect  WARN  first rows=3`,
      `${at(2_000)} detect  WARN  second rows=3`,
    ]);
    expect(console.stubs.logs.commandCalls(FilterLogEventsCommand)[0]?.args[0].input).toMatchObject({
      logGroupName: '/freshet/group',
      filterPattern: expect.stringContaining('ERROR'),
    });
  });

  test('names the functions where one is mistyped', async () => {
    expect((await console.run('logs --function detct')).errors).toContain('Did you mean detect?');
  });
});
