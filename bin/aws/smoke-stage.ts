import { FreshetError } from '../../lib/core/errors.ts';
import { MAX_SAMPLE_ROWS } from '../../lib/pipeline/sample.ts';
import type { ReceivingQueue } from '../../lib/ports/queues.ts';
import type { Coverage } from '../../lib/ports/report-store.ts';
import { switchFlag, wholeNumberFlag } from '../terminal/flags.ts';
import { deployStage, destroyStage, helpFlag, stageFlags } from './stages.ts';
import type { AwsWorld } from './world.ts';

const LOOK_EVERY_MS = 5000;

/** How many rows the sample has. */
const SAMPLE_ROWS = 2000;

/**
 * Looks every five seconds until it is done, and says when what it sees changed.
 * @throws FreshetError `smoke_timeout` with what was seen last, when the time is over
 */
async function waitUntil(
  world: AwsWorld,
  what: string,
  timeoutMs: number,
  look: () => Promise<{ readonly done: boolean; readonly seen: string }>,
): Promise<void> {
  const until = world.now() + timeoutMs;
  let said = '';
  for (;;) {
    const { done, seen } = await look();
    if (seen !== said) world.say(`    ${what}: ${seen}`);
    said = seen;
    if (done) return;
    if (world.now() >= until)
      throw new FreshetError(`${what}: not within ${timeoutMs / 60_000} minutes; seen last: ${seen}.`, {
        failureClass: 'unknown',
        code: 'smoke_timeout',
      });
    await world.sleep(LOOK_EVERY_MS);
  }
}

const MINUTE_MS = 60_000;

/**
 * Makes a dead letter as SQS does, without the hour that five visibility timeouts take.
 *
 * The event source is closed, so nobody else takes from the queue. A new row's message is received
 * and let go as often as the queue allows, and the receive after that moves it. The row's lease
 * lasts longer, so detect sends no second message for it.
 */
async function makeDeadLetter(world: AwsWorld, parts: SmokeParts): Promise<void> {
  const { eventSourceId, queue, deadLetters } = parts;
  await world.switchEventSource(eventSourceId, false);
  try {
    await untilState(world, eventSourceId, 'Disabled');
    await parts.insert('a row whose message nobody takes');
    await parts.detect('incremental');
    await waitUntil(world, 'the dead letter', 10 * MINUTE_MS, async () => {
      for (const { receiptHandle } of await queue.receive(10)) await queue.changeVisibility(receiptHandle, 0);
      const { visible } = await deadLetters.depth();
      return { done: visible > 0, seen: `${visible} dead letters` };
    });
  } finally {
    await world.switchEventSource(eventSourceId, true);
  }
  await untilState(world, eventSourceId, 'Enabled');
}

async function untilState(world: AwsWorld, id: string, state: string): Promise<void> {
  await waitUntil(world, 'the event source', 5 * MINUTE_MS, async () => {
    const seen = await world.readEventSourceState(id);
    return { done: seen === state, seen };
  });
}

/** The deployed parts that the smoke test touches, found by the outputs of the two stacks. */
interface SmokeParts {
  /** Of the queue of the fresh lane. */
  readonly queueUrl: string;
  readonly queue: ReceivingQueue;
  readonly deadLetters: ReceivingQueue;
  /** Of the event source mapping that takes messages from that queue. */
  readonly eventSourceId: string;
  detect(pass: 'incremental' | 'reconcile'): Promise<void>;
  /** Resolves with the row's id. */
  insert(title: string): Promise<string>;
  /** Resolves with how many rows there are then, which can be fewer. */
  grow(rows: number): Promise<number>;
  edit(id: string, title: string): Promise<void>;
  coverage(): Promise<Coverage>;
}

/** Alias of the demo's model. */
const ALIAS = 'static';

async function openSmokeParts(world: AwsWorld, stage: string): Promise<SmokeParts> {
  const outputs = new Map<string, string>();
  for (const stack of [`freshet-${stage}-database`, `freshet-${stage}`])
    for (const [name, value] of (await world.readOutputs(stack)) ?? []) outputs.set(name, value);
  // CloudFormation takes only letters and digits: the CDK drops the dashes of a name.
  const output = (name: string): string => {
    const value = outputs.get(name);
    if (value === undefined) throw unexpected(`The stacks have no output ${name}: deploy them again.`);
    return value;
  };
  const sample = (event: object) => world.invoke(output('SampleFunctionName'), event);
  const queueUrl = output(`QueueUrl${ALIAS}fresh`);
  return {
    queueUrl,
    queue: world.queueAt(queueUrl),
    deadLetters: world.queueAt(output(`DeadLetterQueueUrl${ALIAS}fresh`)),
    eventSourceId: output(`EventSourceId${ALIAS}fresh`),
    async detect(pass) {
      await world.invoke(output('DetectFunctionName'), { pass });
    },
    async insert(title) {
      const { id } = (await sample({ action: 'insert', title })) as { id?: unknown };
      if (typeof id !== 'string')
        throw unexpected('The sample function did not name the row that it inserted.');
      return id;
    },
    async grow(target) {
      const { rows } = (await sample({ action: 'grow', rows: target })) as { rows?: unknown };
      if (typeof rows !== 'number') throw unexpected('The sample function did not say how many rows it has.');
      return rows;
    },
    async edit(id, title) {
      const { edited } = (await sample({ action: 'edit', id, title })) as { edited?: unknown };
      if (edited !== true) throw unexpected(`The sample function did not edit row ${id}.`);
    },
    async coverage() {
      const { spaces } = (await sample({ action: 'coverage' })) as { spaces?: readonly Coverage[] };
      const coverage = spaces?.[0];
      if (coverage === undefined)
        throw unexpected('The example database has no space yet: migrate did not run.');
      return coverage;
    },
  };
}

function unexpected(message: string): FreshetError {
  return new FreshetError(message, { failureClass: 'unknown', code: 'smoke_failed' });
}

const { stage, region, profile } = stageFlags;

export const smokeFlags = {
  stage,
  region,
  profile,
  rows: wholeNumberFlag('N', 'rows to embed, of which the sample has 2,000', {
    least: SAMPLE_ROWS,
    most: MAX_SAMPLE_ROWS,
  }),
  keep: switchFlag('leaves everything deployed'),
  ...helpFlag,
};

interface SmokeOptions {
  readonly stage: string;
  /** Rows to embed. Default: those of the sample. */
  readonly rows?: number | undefined;
  /** Leaves everything deployed. */
  readonly keep: boolean;
}

/** The demo's configuration, because the sample is the demo's. */
const CONFIG = 'examples/demo/freshet.config.ts';

/** The longest that a row may take beside all others: 30 rows/s. */
const MOST_MS_PER_ROW = 33;

/**
 * Deploys the example database with a pipeline on it and proves it from outside.
 *
 * The steps are a backfill, a new row, an edited row, a dead letter that is redriven, and the end.
 * Each is printed with its time. A step that fails leaves everything deployed, and says how to
 * delete it.
 */
export async function smokeStage(
  world: AwsWorld,
  { stage, keep, rows = SAMPLE_ROWS }: SmokeOptions,
): Promise<void> {
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
  await prove(world, await openSmokeParts(world, stage), step, rows);
  if (keep) world.say(`Kept. npm run destroy -- --stage ${stage} --example --yes deletes it.`);
  else await step('destroy', () => destroyStage(world, options));
  world.say(`The smoke test passed in ${seconds(world.now() - startedAt)}.`);
}

type Step = (name: string, run: () => Promise<unknown>) => Promise<void>;

async function prove(world: AwsWorld, parts: SmokeParts, step: Step, target: number): Promise<void> {
  if (target > SAMPLE_ROWS)
    await step(`grow the sample to ${target} rows`, async () => {
      for (let rows = SAMPLE_ROWS; rows < target; ) rows = await growFurther(parts, rows, target);
    });
  await step(`embed the ${target} rows of the sample`, async () => {
    await parts.detect('reconcile');
    await untilCovered(world, parts, target, 15 * MINUTE_MS + (target - SAMPLE_ROWS) * MOST_MS_PER_ROW);
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

/** @throws FreshetError where the table does not grow, which would be tried for ever. */
async function growFurther(parts: SmokeParts, before: number, target: number): Promise<number> {
  const rows = await parts.grow(target);
  if (rows <= before) throw smokeFailure(`The sample did not grow beyond ${rows} rows.`);
  return rows;
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
