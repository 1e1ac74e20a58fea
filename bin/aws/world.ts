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
import type { ReceivingQueue } from '../../lib/ports/queues.ts';

export interface Identity {
  readonly account: string;
  readonly region: string;
}

/**
 * What deploying, destroying and the smoke test do outside of this process.
 * Tests give their own.
 */
export interface AwsWorld {
  /** Rejects with `UsageError` where there are no credentials or no region. */
  identify(): Promise<Identity>;
  /**
   * Runs the CDK's command line as the repository pins it, its output on the terminal.
   * Rejects where the command fails.
   */
  cdk(words: readonly string[], identity: Identity): Promise<void>;
  /** Undefined: there is no such stack. */
  readOutputs(stackName: string): Promise<ReadonlyMap<string, string> | undefined>;
  /** Resolves with the answer of the function. */
  invoke(functionName: string, event: object): Promise<unknown>;
  switchEventSource(id: string, enabled: boolean): Promise<void>;
  readEventSourceState(id: string): Promise<string>;
  queueAt(url: string): ReceivingQueue;
  /** Moves all dead letters back to the queue that they came from. */
  redrive(queueUrl: string): Promise<void>;
  /** Resolves with the number of objects deleted. */
  emptyBucket(bucket: string): Promise<number>;
  sleep(milliseconds: number): Promise<void>;
  /** Milliseconds since some moment. */
  now(): number;
  say(line: string): void;
}

const root = path.resolve(import.meta.dirname, '../..');

interface WorldOptions {
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

/** Runs the CDK from the repository's own packages, so that no other version answers. */
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
