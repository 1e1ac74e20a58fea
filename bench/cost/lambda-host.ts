import { DeleteMessageBatchCommand, ReceiveMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import type * as Detect from '../../functions/detect/handler.ts';
import type * as Embed from '../../functions/embed/handler.ts';
import type * as Guard from '../../functions/guard/handler.ts';
import type * as Migrate from '../../functions/migrate/handler.ts';
import type * as Write from '../../functions/write/handler.ts';
import type { FunctionName } from '../../lib/constructs/function-settings.ts';
import { buildHandlers } from '../../test/deployments/built-handlers.ts';
import { makeSqsEvent } from '../../test/factories/lambda-event.ts';
import type { CountedRequest } from './count-traffic.ts';
import type { CountedDeployment } from './open-counted-deployment.ts';

/**
 * Builds and loads the functions as a stack deploys them.
 * `lines` is what the functions have written so far; `loadMs` is what the import of each took, in
 * milliseconds.
 */
export function loadFunctions({ variables, database, config }: CountedDeployment) {
  const lines: string[] = [];
  const loadMs: Partial<Record<FunctionName, number>> = {};
  const built = buildHandlers(['migrate', 'detect', 'embed', 'write', 'guard'], config);
  const dependenciesOf = (name: FunctionName) => ({
    variables,
    directory: built.folderOf(name),
    writeLine: (line: string) => void lines.push(line),
    openDatabase: async () => ({ ...database, close: async () => {} }),
  });
  const load = <Module>(name: FunctionName): Module => {
    const began = performance.now();
    const module = built.load<Module>(name);
    loadMs[name] = performance.now() - began;
    return module;
  };
  return {
    migrate: load<typeof Migrate>('migrate').createLambda(dependenciesOf('migrate')),
    detect: load<typeof Detect>('detect').createLambda(dependenciesOf('detect')),
    embed: load<typeof Embed>('embed').createLambda(dependenciesOf('embed')),
    write: load<typeof Write>('write').createLambda(dependenciesOf('write')),
    guard: load<typeof Guard>('guard').createLambda(dependenciesOf('guard')),
    lines,
    loadMs,
    remove: built.remove,
  };
}

export type LoadedFunctions = ReturnType<typeof loadFunctions>;

/**
 * Polls a queue as Lambda does, until the queue is empty.
 * Resolves with the poller's requests. There is one receive and one delete for each event, which
 * are paid like the function's own requests. AWS does not say how Lambda groups its receives; one
 * for each event is the most that Lambda can need.
 * @throws Error where a record failed.
 */
export async function pollAsLambda(
  client: SQSClient,
  QueueUrl: string,
  batchSize: number,
  invoke: (event: SQSEvent) => Promise<SQSBatchResponse>,
): Promise<CountedRequest[]> {
  const requests: CountedRequest[] = [];
  for (;;) {
    const { Messages: messages = [] } = await client.send(
      new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: batchSize }),
    );
    if (messages.length === 0) return requests;
    const event = makeSqsEvent(messages.map(({ Body = '' }) => Body));
    const { batchItemFailures } = await invoke(event);
    if (batchItemFailures.length > 0) throw new Error(`${batchItemFailures.length} records failed`);
    const Entries = messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }));
    await client.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
    const bodyBytes = messages.reduce((sum, { Body = '' }) => sum + Buffer.byteLength(Body), 0);
    requests.push(
      { method: 'POST', action: 'ReceiveMessage', requestBytes: 0, responseBytes: bodyBytes },
      {
        method: 'POST',
        action: 'DeleteMessageBatch',
        requestBytes: Buffer.byteLength(JSON.stringify(Entries)),
        responseBytes: 0,
      },
    );
  }
}
