import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTracer } from '../../lib/adapters/open-tracer.ts';
import type { Tracer } from '../../lib/ports/tracer.ts';
import { pathTo, recordSpans } from '../doubles/recorded-spans.ts';
import { createVirtualClock } from '../doubles/virtual-clock.ts';
import { runHistory } from './run-history.ts';

let recorded: ReturnType<typeof recordSpans>;
let tracer: Tracer | undefined;
beforeAll(async () => {
  recorded = recordSpans();
  tracer = await openTracer(createVirtualClock());
});
afterAll(() => recorded.stop());

test('the steps of a batch are one trace by its id, with the calls of the batch service, and without text', async () => {
  for (let seed = 1; seed <= 5; seed += 1) expect(await runHistory(seed, tracer)).toEqual([]);
  await tracer?.flush();

  const spans = recorded.spans();
  const steps = spans.filter(({ attributes }) => attributes['freshet.batch.id'] !== undefined);
  const idOf = (span: (typeof spans)[number]) =>
    String(span.attributes['freshet.batch.id']).replaceAll('-', '');
  expect(steps.length).toBeGreaterThan(10);
  expect(new Set(steps.map(({ name }) => name.split(' ')[0]))).toEqual(new Set(['submit', 'follow']));
  expect(steps.filter(span => span.spanContext().traceId !== idOf(span))).toEqual([]);
  const calls = spans.filter(({ name }) => name.startsWith('batch '));
  expect(new Set(calls.map(({ name }) => name.slice(6)))).toEqual(
    new Set(['upload', 'create', 'find', 'find-files', 'poll', 'read', 'cancel', 'remove']),
  );
  expect(calls.filter(span => !/^(submit|follow) batch /.test(pathTo(spans, span)[0] ?? ''))).toEqual([]);
  const failed = calls.filter(({ attributes }) => attributes['error.type'] !== undefined);
  expect(failed.length).toBeGreaterThan(0);
  const printed = JSON.stringify(
    spans.map(({ name, attributes, events, status }) => [name, attributes, events, status]),
  );
  expect(printed).not.toMatch(/text \d/);
});
