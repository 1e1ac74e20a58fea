import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import {
  createConsoleClients,
  findIdentity,
  invokeFunction,
  readEventSourceState,
  readOutputs,
  switchEventSource,
} from '../../lib/adapters/aws/console.ts';
import { emptyBucket } from '../../lib/adapters/s3/model-bucket.ts';
import { createS3Client } from '../../lib/adapters/s3/object-store.ts';
import { findDeadLetterQueue, startMove } from '../../lib/adapters/sqs/dead-letters.ts';
import { createSqsQueue } from '../../lib/adapters/sqs/sqs-queue.ts';
import { createSystemClock } from '../../lib/adapters/system.ts';
import { UsageError } from '../../lib/core/errors.ts';
import type { AwsWorld, Identity } from './aws-world.ts';

const root = path.resolve(import.meta.dirname, '../..');

export interface WorldOptions {
  readonly region: string | undefined;
  readonly profile: string | undefined;
  readonly say: (line: string) => void;
}

export function openAwsWorld({ region, profile, say }: WorldOptions): AwsWorld {
  const clients = createConsoleClients({ region, profile });
  const s3 = createS3Client({ region, profile });
  const clock = createSystemClock();
  return {
    identify: () => findIdentity(clients.sts),
    cdk: (words, identity) => runCdk(words, identity, profile),
    readOutputs: stackName => readOutputs(clients.cloudFormation, stackName),
    invoke: (functionName, event) => invokeFunction(clients.lambda, functionName, event),
    switchEventSource: (id, enabled) => switchEventSource(clients.lambda, id, enabled),
    readEventSourceState: id => readEventSourceState(clients.lambda, id),
    queueAt: queueUrl => createSqsQueue({ client: clients.sqs, queueUrl }),
    redrive: async queueUrl => {
      const { arn } = await findDeadLetterQueue(clients.sqs, queueUrl);
      await startMove(clients.sqs, arn, undefined);
    },
    emptyBucket: bucket => emptyBucket(s3, bucket),
    sleep: milliseconds => clock.sleep(milliseconds),
    now: () => performance.now(),
    say,
  };
}

/** From the repository's own packages, so that no other version answers. Without colours of its own in a log. */
async function runCdk(
  words: readonly string[],
  { region }: Identity,
  profile: string | undefined,
): Promise<void> {
  const program = path.join(
    path.dirname(createRequire(import.meta.url).resolve('aws-cdk/package.json')),
    'bin/cdk',
  );
  const account = profile === undefined ? [] : ['--profile', profile];
  const child = spawn(process.execPath, [program, ...words, ...account], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, AWS_REGION: region },
  });
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', resolve);
  });
  if (status !== 0)
    throw new UsageError(`cdk ${words[0]} failed with exit code ${status}; its own words are above.`);
}
