import type { AwsWorld } from '../../bin/aws/world.ts';
import { createInProcessQueue } from '../../lib/adapters/in-process.ts';
import { FreshetError } from '../../lib/core/errors.ts';
import { createSeededRandomness } from './seeded-randomness.ts';
import { createVirtualClock } from './virtual-clock.ts';

/** What goes wrong in it. */
export interface ScriptedFaults {
  /** The pipeline embeds nothing. */
  readonly idle?: boolean;
  /** What was redriven comes to nothing. */
  readonly losesRedriven?: boolean;
  /** How often `cdk` fails before it does what it is told. */
  readonly cdkFailures?: number;
  /** The bucket's name, and the objects that it holds each time it is emptied. */
  readonly objects?: readonly number[];
}

const OUTPUTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'freshet-smoke-database': { SampleFunctionName: 'sample', PublishOutputRef: 'vpc-1' },
  'freshet-smoke': {
    QueueUrlstaticfresh: 'https://sqs/fresh',
    DeadLetterQueueUrlstaticfresh: 'https://sqs/dead',
    EventSourceIdstaticfresh: 'mapping-1',
    DetectFunctionName: 'detect',
    ClaimsBucketName: 'claims',
  },
};

/** An account with the two stacks of the smoke test, in memory and in virtual time. The queues are the ones of a local run, with SQS's rules. */
export function createScriptedAws(faults: ScriptedFaults = {}) {
  const clock = createVirtualClock();
  const randomness = createSeededRandomness(1);
  const deadLetter = createInProcessQueue({
    visibilitySeconds: 30,
    maxReceiveCount: 1000,
    clock,
    randomness,
  });
  const fresh = createInProcessQueue({
    visibilitySeconds: 720,
    maxReceiveCount: 5,
    deadLetter,
    clock,
    randomness,
  });
  const stacks = new Set<string>();
  const stale = new Set<string>();
  const queued = new Set<string>();
  let rows = 0;
  let state = 'Enabled';
  let cdkFailures = faults.cdkFailures ?? 0;
  let redriven = false;
  const objects = [...(faults.objects ?? [0])];
  const said: string[] = [];
  const cdkWords: string[][] = [];

  const insert = () => {
    rows += 1;
    stale.add(String(rows));
    return { id: String(rows) };
  };
  const consume = async () => {
    if (state !== 'Enabled' || faults.idle === true || (redriven && faults.losesRedriven === true)) return;
    for (let batch = await fresh.receive(10); batch.length > 0; batch = await fresh.receive(10))
      for (const { body, receiptHandle } of batch) {
        stale.delete(body);
        queued.delete(body);
        await fresh.delete(receiptHandle);
      }
  };
  const answers: Record<string, (event: Record<string, string>) => Promise<object>> = {
    detect: async () => {
      const found = [...stale].filter(id => !queued.has(id));
      for (const id of found) queued.add(id);
      await fresh.send(found.map(body => ({ body })));
      return {};
    },
    sample: async ({ action, id, rows: target }) => {
      if (action === 'insert') return insert();
      if (action === 'grow') {
        for (let grown = 0; grown < 500 && rows < Number(target); grown += 1) insert();
        return { rows };
      }
      if (action === 'edit') stale.add(id!);
      if (action === 'edit') return { edited: true };
      const coveragePercent = Math.floor(((rows - stale.size) / rows) * 10_000) / 100;
      return { spaces: [{ eligible: rows, fresh: rows - stale.size, failed: 0, coveragePercent }] };
    },
  };
  const world: AwsWorld = {
    identify: async () => ({ account: '111122223333', region: 'eu-west-1' }),
    async cdk(words) {
      cdkWords.push([...words]);
      if (cdkFailures-- > 0) throw new FreshetError('cdk failed.', { failureClass: 'unknown', code: 'cdk' });
      const named = words.filter(word => word.startsWith('freshet-'));
      for (const stack of named) words[0] === 'deploy' ? stacks.add(stack) : stacks.delete(stack);
      if (words[0] === 'deploy') while (rows < 2000) insert();
    },
    readOutputs: async name => (stacks.has(name) ? new Map(Object.entries(OUTPUTS[name] ?? {})) : undefined),
    invoke: async (name, event) => answers[name]!(event as Record<string, string>),
    switchEventSource: async (_, enabled) => {
      state = enabled ? 'Enabled' : 'Disabled';
    },
    readEventSourceState: async () => state,
    queueAt: url => (url.endsWith('dead') ? deadLetter : fresh),
    redrive: async () => {
      redriven = true;
      for (const { body, receiptHandle } of await deadLetter.receive(10)) {
        await deadLetter.delete(receiptHandle);
        await fresh.send([{ body }]);
      }
    },
    emptyBucket: async () => objects.shift() ?? 0,
    sleep: async milliseconds => {
      clock.advance(milliseconds);
      await consume();
    },
    now: () => clock.now(),
    say: line => said.push(line),
  };
  return { world, said, cdkWords, stacks, eventSourceState: () => state };
}
