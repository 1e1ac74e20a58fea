import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createHandler as createDetect } from '../../functions/detect/handler.ts';
import { createHandler as createEmbed } from '../../functions/embed/handler.ts';
import { createRecordHandler } from '../../functions/lambda.ts';
import { createHandler as createWrite } from '../../functions/write/handler.ts';
import { createRecordingLogger } from '../doubles/recording-logger.ts';
import { createRecordingMetrics } from '../doubles/recording-metrics.ts';
import { embedAll } from '../doubles/scripted-provider.ts';
import { makeContext, makeSqsEvent } from '../factories/lambda-event.ts';
import { putRow } from '../factories/logged-twin.ts';
import { makeSpace } from '../factories/space.ts';
import { makeWorld } from '../factories/world.ts';
import { spaceOf } from '../twin/twin-database.ts';

const failuresOf = (answer: { batchItemFailures: { itemIdentifier: string }[] }) =>
  answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);

function ports() {
  return { metrics: createRecordingMetrics(), logger: createRecordingLogger() };
}

describe('the three handlers', () => {
  test('take a row from stale to embedded', async () => {
    const world = makeWorld();
    putRow(world.twin, makeSpace(), 'a', 'apple');

    const report = await createDetect(world.detectPorts)({ pass: 'reconcile' }, makeContext());
    const sent = world.dispatch.flatMap(({ queue }) => queue.remainingBodies());
    const embedded = await createEmbed(world.embedPorts)(makeSqsEvent(sent), makeContext());
    const announced = world.results.remainingBodies();
    const written = await createWrite(world.writePorts)(makeSqsEvent(announced), makeContext());

    expect(report.spaces[0]?.sent).toBe(1);
    expect([...failuresOf(embedded), ...failuresOf(written)]).toEqual([]);
    expect(spaceOf(world.twin, makeSpace()).outcomes.get('a')?.outcome).toBe('embedded');
  });

  test('fail a poison message alone', async () => {
    const world = makeWorld();
    putRow(world.twin, makeSpace(), 'a', 'apple');
    await createDetect(world.detectPorts)({ pass: 'reconcile' }, makeContext());
    const [good = ''] = world.dispatch.flatMap(({ queue }) => queue.remainingBodies());
    const newer = good.replace('"v":1', '"v":2');

    const answer = await createEmbed(world.embedPorts)(makeSqsEvent(['no json', good, newer]), makeContext());

    expect(failuresOf(answer)).toEqual(['message-0', 'message-2']);
    expect(world.provider.requests).toHaveLength(1);
  });

  test('refuse a schedule whose input is mistyped', async () => {
    const world = makeWorld();

    const call = createDetect(world.detectPorts)({ pass: 'ful' as 'reconcile' }, makeContext());

    await expect(call).rejects.toMatchObject({ code: 'bad_request' });
  });

  test('throw before the time is over when a tick of detect hangs, with its metrics written', async () => {
    const world = makeWorld();
    const detection = { ...world.detectPorts.detection, countInFlight: () => new Promise<number>(() => {}) };
    const detect = createDetect({ ...world.detectPorts, detection }, 1_000);
    const context = makeContext(() => 1_050);

    await expect(detect({ pass: 'incremental' }, context)).rejects.toMatchObject({ name: 'TimeoutError' });

    expect(world.metrics.sums.get('EarlyTimeouts')).toBe(1);
    expect(world.metrics.flushes).toBeGreaterThan(1);
  });

  test('give back a record that hangs when the time runs out, and no other', async () => {
    const world = makeWorld([makeSpace()], 1);
    for (const id of ['a', 'b']) putRow(world.twin, makeSpace(), id, `text ${id}`);
    await createDetect(world.detectPorts)({ pass: 'reconcile' }, makeContext());
    const sent = world.dispatch.flatMap(({ queue }) => queue.remainingBodies());
    world.provider.script = request =>
      request.texts[0] === 'text a' ? embedAll(request) : new Promise(() => {});
    // The first question is the handler's before its first record, the second middy's when it sets its timer: due at once, which
    // is after everything that waits for nothing outside, so after the first record and with the second one hanging.
    let questions = 0;
    const remainingMs = () => {
      questions += 1;
      return questions === 2 ? 1_000 : 60_000;
    };

    const answer = await createEmbed(world.embedPorts)(makeSqsEvent(sent), makeContext(remainingMs));

    expect(failuresOf(answer)).toEqual(['message-1']);
    expect(world.metrics.sums.get('EarlyTimeouts')).toBe(1);
    expect(world.metrics.flushes).toBeGreaterThan(1);
  });
});

describe('a handler of records', () => {
  test('puts every record in exactly one of done and failed, whatever its step does', async () => {
    const answers = fc.array(fc.constantFrom('done', 'returned', 'throw', 'throw-text'), { maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(answers, async plan => {
        const handler = createRecordHandler(ports(), async record => {
          const answer = plan[Number(record.body)];
          if (answer === 'throw') throw new Error('broken');
          if (answer === 'throw-text') throw 'broken';
          return answer === 'done' ? 'done' : 'returned';
        });

        const event = makeSqsEvent(plan.map((_, index) => String(index)));
        const failed = failuresOf(await handler(event, makeContext()));

        const expected = plan.flatMap((answer, index) => (answer === 'done' ? [] : [`message-${index}`]));
        expect(failed).toEqual(expected);
      }),
    );
  });

  test('begins no record without the time to end it', async () => {
    let remaining = 30_000;
    const { metrics, logger } = ports();
    const handler = createRecordHandler({ metrics, logger }, async () => {
      remaining -= 12_000;
      return 'done';
    });

    const answer = await handler(
      makeSqsEvent(['a', 'b', 'c', 'd']),
      makeContext(() => remaining),
    );

    expect(failuresOf(answer)).toEqual(['message-2', 'message-3']);
    expect(logger.lines).toEqual([
      { level: 'warn', event: 'records-not-begun', fields: { records: 2, remainingMs: 6_000 } },
    ]);
  });

  test('returns every record when it fails before the first', async () => {
    const broken = ports();
    broken.metrics.count = () => {
      throw new Error('no metrics');
    };
    const handler = createRecordHandler(broken, async () => 'done');

    expect(failuresOf(await handler(makeSqsEvent(['a', 'b']), makeContext()))).toEqual([
      'message-0',
      'message-1',
    ]);
  });

  test('logs class and code of a failure and nothing of its message', async () => {
    const { metrics, logger } = ports();
    const handler = createRecordHandler({ metrics, logger }, async () => {
      throw new Error('CANARY');
    });

    await handler(makeSqsEvent(['a']), makeContext());

    expect(logger.lines).toMatchObject([{ event: 'record-failed', fields: { code: 'unexpected' } }]);
    expect(JSON.stringify(logger.lines)).not.toContain('CANARY');
  });
});
