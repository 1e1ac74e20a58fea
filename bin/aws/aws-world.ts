import type { ReceivingQueue } from '../../lib/ports/queues.ts';

export interface Identity {
  readonly account: string;
  readonly region: string;
}

/** What deploying, destroying and the smoke test do outside of this process. Tests give their own. */
export interface AwsWorld {
  /** Rejects with `UsageError` where there are no credentials or no region. */
  identify(): Promise<Identity>;
  /** Runs the CDK's command line as the repository pins it, its output on the terminal. Rejects where it fails. */
  cdk(words: readonly string[], identity: Identity): Promise<void>;
  /** Undefined: there is no such stack. */
  readOutputs(stackName: string): Promise<ReadonlyMap<string, string> | undefined>;
  /** Waits for the answer. */
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
