import { FreshetError } from '../../lib/core/errors.ts';
import type { ReceivingQueue } from '../../lib/ports/queues.ts';
import type { Coverage } from '../../lib/ports/report-store.ts';
import type { AwsWorld } from './aws-world.ts';

/** The deployed parts that the smoke test touches, found by the outputs of the two stacks. */
export interface SmokeParts {
  /** Of the fresh lane. */
  readonly queueUrl: string;
  readonly queue: ReceivingQueue;
  readonly deadLetters: ReceivingQueue;
  /** Of the mapping that takes from it. */
  readonly eventSourceId: string;
  detect(pass: 'incremental' | 'reconcile'): Promise<void>;
  /** Resolves with the row's id. */
  insert(title: string): Promise<string>;
  edit(id: string, title: string): Promise<void>;
  coverage(): Promise<Coverage>;
}

/** The demo's model. */
const ALIAS = 'hash';

export async function openSmokeParts(world: AwsWorld, stage: string): Promise<SmokeParts> {
  const outputs = new Map<string, string>();
  for (const stack of [`freshet-${stage}-database`, `freshet-${stage}`])
    for (const [name, value] of (await world.readOutputs(stack)) ?? []) outputs.set(name, value);
  // CloudFormation takes letters and digits alone: the CDK drops the dashes of an output's name.
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
