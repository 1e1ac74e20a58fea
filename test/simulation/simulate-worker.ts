import { parentPort } from 'node:worker_threads';
import { type SeedRange, simulateRange } from './simulate-range.ts';

/** A thread of `simulate-seeds.ts`: one range after the other, until nobody asks any more. */
Error.stackTraceLimit = 0;
parentPort?.on('message', async ({ range, failFast }: { range: SeedRange; failFast: boolean }) => {
  parentPort?.postMessage(await simulateRange(range, failFast));
});
