import {
  CancelMessageMoveTaskCommand,
  ListMessageMoveTasksCommand,
  StartMessageMoveTaskCommand,
} from '@aws-sdk/client-sqs';
import { beforeEach, describe, expect, test } from 'vitest';
import { readCommand } from '../../../bin/commands/run-command.ts';
import { createStubbedConsole, refusal } from '../../doubles/stubbed-console.ts';

const DEAD_ARN = 'arn:aws:sqs:eu-central-1:111122223333:small-bulk-dead';

let console: ReturnType<typeof createStubbedConsole>;
beforeEach(() => {
  console = createStubbedConsole();
  console.letters.set('small-bulk-dead', 1_200);
});

const task = (Status: string, moved: number) => ({
  Results: [
    {
      ...{ Status, ApproximateNumberOfMessagesMoved: moved, ApproximateNumberOfMessagesToMove: 1_200 },
      ...(Status === 'RUNNING' ? { TaskHandle: 'handle' } : {}),
    },
  ],
});

describe('aws redrive', () => {
  test('counts the dead letters and moves none without --apply', async () => {
    const { code, output } = await console.run('redrive');

    expect(code).toBe(0);
    expect(output).toContain('small/bulk: 1,200 dead letters');
    expect(console.asked).toEqual([]);
    expect(console.stubs.sqs.commandCalls(StartMessageMoveTaskCommand)).toEqual([]);
  });

  test('asks for stretches until every letter was received, and adds them up', async () => {
    console.answers.set('redrive', ({ limit }) => ({
      answer: {
        received: Number(limit),
        dispatched: Number(limit) - 100,
        superseded: 60,
        left: 30,
        unreadable: 10,
      },
    }));

    const { code, output } = await console.run('redrive --source ai_items --class item --apply --json');

    expect(code).toBe(0);
    const common = {
      request: 'redrive',
      queue: { model: 'small', lane: 'bulk' },
      source: 'ai_items',
      cause: 'item',
    };
    expect(console.asked).toEqual([
      { ...common, limit: 500 },
      { ...common, limit: 500 },
      { ...common, limit: 200 },
    ]);
    expect(JSON.parse(output).redriven).toEqual([
      { queue: 'small/bulk', received: 1_200, dispatched: 900, superseded: 180, left: 90, unreadable: 30 },
    ]);
  });

  test('says that the same command goes on when it is interrupted', async () => {
    const stop = new AbortController();
    console.answers.set('redrive', () => {
      stop.abort();
      return { answer: { received: 500, dispatched: 500, superseded: 0, left: 0, unreadable: 0 } };
    });

    const { code, output, errors } = await console.run('redrive --apply', stop.signal);

    expect(code).toBe(1);
    expect(output).toContain('small/bulk: 500 letters; 500 rows sent again');
    expect(errors).toContain('Interrupted: the same command goes on.');
  });

  test('ends when the queue gives nothing more', async () => {
    console.answers.set('redrive', () => ({
      answer: { received: 0, dispatched: 0, superseded: 0, left: 0, unreadable: 0 },
    }));

    expect(await console.run('redrive --apply')).toMatchObject({ code: 0 });
    expect(console.asked).toHaveLength(1);
  });

  test.each([
    ['redrive --whole-queue --class item', '--whole-queue moves letters unread'],
    ['redrive --per-second 5', '--per-second belongs to --whole-queue'],
    ['redrive --whole-queue --per-second 501', 'from 1 to 500'],
    ['redrive --cancel --whole-queue', '--cancel takes only --queue'],
    ['redrive --queue small/bulc', 'Did you mean small/bulk?'],
  ])('refuses %s', async (words, expected) => {
    const { code, errors } = await console.run(words);

    expect(code).toBe(2);
    expect(errors).toContain(expected);
  });
});

describe('aws redrive --whole-queue', () => {
  test('starts a move task at the rate, tells its progress, and ends with it', async () => {
    const reports = [
      task('COMPLETED', 7),
      task('RUNNING', 0),
      task('RUNNING', 450),
      task('COMPLETED', 1_200),
    ];
    console.stubs.sqs.on(ListMessageMoveTasksCommand).callsFake(() => reports.shift());
    console.stubs.sqs.on(StartMessageMoveTaskCommand).resolves({ TaskHandle: 'handle' });
    const before = console.clock.now();

    const { code, output, errors } = await console.run(
      'redrive --queue small/bulk --whole-queue --per-second 50 --apply',
    );

    expect(code).toBe(0);
    expect(console.stubs.sqs.commandCalls(StartMessageMoveTaskCommand)[0]?.args[0].input).toEqual({
      SourceArn: DEAD_ARN,
      MaxNumberOfMessagesPerSecond: 50,
    });
    expect(errors).toContain('small/bulk: 0 of 1,200 letters moved');
    expect(output).toContain('small/bulk: completed, 1,200 letters moved.');
    expect(console.clock.now() - before).toBe(4_000);
  });

  test('leaves the task to AWS when it is interrupted, and says how to end it', async () => {
    const stop = new AbortController();
    const reports = [{ Results: [] }, task('RUNNING', 0), task('RUNNING', 450)];
    console.stubs.sqs.on(ListMessageMoveTasksCommand).callsFake(() => {
      if (reports.length === 1) stop.abort();
      return reports.shift();
    });
    console.stubs.sqs.on(StartMessageMoveTaskCommand).resolves({});

    const { code, output, errors } = await console.run(
      'redrive --queue small/bulk --whole-queue --apply',
      stop.signal,
    );

    expect(code).toBe(1);
    const cancel = 'npm run freshet -- aws redrive --queue small/bulk --cancel --apply --stage prod';
    expect(errors).toContain(`also when this command ends. To end it: ${cancel}\n`);
    expect(output).toContain(
      `small/bulk: 450 letters moved so far; the move goes on. To end it: ${cancel}\n`,
    );
    expect(readCommand(cancel.split(' ').slice(4))).toMatchObject({ name: 'aws redrive' });
    expect(console.stubs.sqs.commandCalls(CancelMessageMoveTaskCommand)).toEqual([]);
  });

  test('refuses a second task of the queue', async () => {
    console.stubs.sqs.on(ListMessageMoveTasksCommand).resolves(task('RUNNING', 3) as never);

    const { code, errors } = await console.run('redrive --queue small/bulk --whole-queue --apply');

    expect(code).toBe(2);
    expect(errors).toContain('being moved already');
    expect(errors).toContain('aws redrive --queue small/bulk --cancel --apply --stage prod ends it.');
    expect(console.stubs.sqs.commandCalls(StartMessageMoveTaskCommand)).toEqual([]);
  });

  test('cancels the task that runs', async () => {
    console.stubs.sqs
      .on(ListMessageMoveTasksCommand, { SourceArn: DEAD_ARN })
      .resolves(task('RUNNING', 450) as never);
    console.stubs.sqs.on(CancelMessageMoveTaskCommand).resolves({ ApproximateNumberOfMessagesMoved: 450 });

    const { code, output } = await console.run('redrive --queue small/bulk --cancel --apply');

    expect(code).toBe(0);
    expect(console.stubs.sqs.commandCalls(CancelMessageMoveTaskCommand)[0]?.args[0].input).toEqual({
      TaskHandle: 'handle',
    });
    expect(output).toContain('small/bulk: cancelled after 450 letters.');
  });

  test('ends with 1 when the task failed, and names the action when it is refused', async () => {
    const reports = [{ Results: [] }, task('FAILED', 2)];
    console.stubs.sqs.on(ListMessageMoveTasksCommand).callsFake(() => reports.shift());
    console.stubs.sqs
      .on(StartMessageMoveTaskCommand)
      .resolvesOnce({})
      .rejects(refusal('AccessDeniedException'));

    expect(await console.run('redrive --queue small/bulk --whole-queue --apply')).toMatchObject({ code: 1 });
    reports.push({ Results: [] });
    const refused = await console.run('redrive --queue small/bulk --whole-queue --apply');

    expect(refused.code).toBe(2);
    expect(refused.errors).toContain('AWS refused sqs:StartMessageMoveTask');
  });
});
