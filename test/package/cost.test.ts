import { expect, test } from 'vitest';
import { PLUMBING_CEILING_USD } from '../../bench/cost/cost-page.ts';
import { countRun } from '../../bench/cost/count-run.ts';
import { ASSUMPTIONS } from '../../bench/cost/counted-page.ts';
import { pricePlumbing, totalOf } from '../../lib/core/aws-cost.ts';

const ROWS = 1_000;
const VECTOR_BYTES = 1536 * 4;

/** Takes 8 seconds of CPU, and a minute where ten other suites want it too. */
test('the built functions ask AWS for no more than the ceiling, as counted', {
  timeout: 180_000,
}, async () => {
  const run = await countRun(ROWS, { detect: 1, embed: 12, write: 6 });

  expect(run.functions.embed.invocations).toBe(ROWS / 100);
  expect(run.providerCalls).toBe(ROWS / 100);
  expect(run.s3.puts).toBe(ROWS / 100);
  expect(run.s3.gets).toBe(run.s3.puts);
  expect(run.functions.write.invocations).toBe(1);
  const invocations = run.functions.embed.invocations + run.functions.write.invocations;
  expect(run.sqs.ReceiveMessage?.requests).toBe(invocations);
  expect(run.sqs.DeleteMessageBatch?.requests).toBe(invocations);
  expect(run.sqs.SendMessageBatch?.requests).toBeLessThanOrEqual(invocations);
  for (const bytes of [run.s3.putBytes, run.s3.getBytes, run.provider.receivedBytes, run.database.sentBytes])
    expect(bytes).toBeGreaterThan(ROWS * VECTOR_BYTES);
  expect(run.logBytes).toBeGreaterThan(0);
  expect(run.metricSeries).toBeGreaterThan(10);
  expect(totalOf(pricePlumbing(run, ASSUMPTIONS))).toBeLessThanOrEqual(PLUMBING_CEILING_USD);
});
