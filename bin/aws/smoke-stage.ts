import { FreshetError } from '../../lib/core/errors.ts';
import { switchFlag } from '../terminal/flag.ts';
import type { AwsWorld } from './aws-world.ts';
import { deployStage } from './deploy-stage.ts';
import { destroyStage } from './destroy-stage.ts';
import { makeDeadLetter } from './make-dead-letter.ts';
import { openSmokeParts, type SmokeParts } from './smoke-parts.ts';
import { helpFlag, stageFlags } from './stage-options.ts';
import { waitUntil } from './wait-until.ts';

const { stage, region, profile } = stageFlags;

export const smokeFlags = {
  stage,
  region,
  profile,
  keep: switchFlag('leaves everything deployed'),
  ...helpFlag,
};

export interface SmokeOptions {
  readonly stage: string;
  /** Leaves everything deployed. */
  readonly keep: boolean;
}

/** Whatever configuration lies beside it: the sample is the demo's. */
const CONFIG = 'examples/demo/freshet.config.ts';

/** The rows of the sample. */
const SAMPLE_ROWS = 2000;
const MINUTE_MS = 60_000;

/**
 * Deploys the example database with a pipeline on it and proves it from outside: backfill, a new row, an edited row, a dead letter that
 * is redriven, the end. Each step is printed with its time. What fails leaves everything deployed, and says how to delete it.
 */
export async function smokeStage(world: AwsWorld, { stage, keep }: SmokeOptions): Promise<void> {
  const options = { stage, config: CONFIG, example: true, yes: true };
  const startedAt = world.now();
  const step = async (name: string, run: () => Promise<unknown>): Promise<void> => {
    const since = world.now();
    world.say(`· ${name}`);
    try {
      await run();
    } catch (error) {
      world.say(`FAILED after ${seconds(world.now() - since)}: ${name}`);
      world.say(
        `Everything is still deployed and costs money: npm run destroy -- --stage ${stage} --example --yes`,
      );
      throw error;
    }
    world.say(`  ${seconds(world.now() - since)}`);
  };
  await world.identify();
  await step('deploy the example database and a pipeline on it', () => deployStage(world, options));
  await prove(world, await openSmokeParts(world, stage), step);
  if (keep) world.say(`Kept. npm run destroy -- --stage ${stage} --example --yes deletes it.`);
  else await step('destroy', () => destroyStage(world, options));
  world.say(`The smoke test passed in ${seconds(world.now() - startedAt)}.`);
}

type Step = (name: string, run: () => Promise<unknown>) => Promise<void>;

async function prove(world: AwsWorld, parts: SmokeParts, step: Step): Promise<void> {
  await step(`embed the ${SAMPLE_ROWS} rows of the sample`, async () => {
    await parts.detect('reconcile');
    await untilCovered(world, parts, SAMPLE_ROWS, 15 * MINUTE_MS);
  });
  const rows = (await parts.coverage()).eligible;
  let id = '';
  await step('insert a row, and find it embedded', async () => {
    id = await parts.insert('a row that was not there before');
    await parts.detect('incremental');
    await untilCovered(world, parts, rows + 1, 10 * MINUTE_MS);
  });
  await step('edit the row, find it stale, and find it embedded', async () => {
    await parts.edit(id, 'a row with another text');
    requireStale(await parts.coverage());
    await parts.detect('incremental');
    await untilCovered(world, parts, rows + 1, 10 * MINUTE_MS);
  });
  await step('make a dead letter', () => makeDeadLetter(world, parts));
  await step('redrive it, and find its row embedded', async () => {
    requireStale(await parts.coverage());
    await world.redrive(parts.queueUrl);
    await untilCovered(world, parts, rows + 2, 10 * MINUTE_MS);
    const { visible } = await parts.deadLetters.depth();
    if (visible > 0) throw smokeFailure(`${visible} dead letters are left after the redrive.`);
  });
}

async function untilCovered(
  world: AwsWorld,
  parts: SmokeParts,
  rows: number,
  timeoutMs: number,
): Promise<void> {
  await waitUntil(world, `coverage of ${rows} rows`, timeoutMs, async () => {
    const { eligible, fresh, failed, coveragePercent } = await parts.coverage();
    const done = coveragePercent === 100 && eligible >= rows && failed === 0;
    return { done, seen: `${coveragePercent} % (${fresh} of ${eligible} fresh, ${failed} failed)` };
  });
}

function requireStale({ coveragePercent }: { readonly coveragePercent: number | null }): void {
  if (coveragePercent === 100) throw smokeFailure('A row was changed, and the coverage still says 100 %.');
}

function smokeFailure(message: string): FreshetError {
  return new FreshetError(message, { failureClass: 'unknown', code: 'smoke_failed' });
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
