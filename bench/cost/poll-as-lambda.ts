import { DeleteMessageBatchCommand, ReceiveMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { makeSqsEvent } from '../../test/factories/lambda-event.ts';
import type { CountedRequest } from './count-requests.ts';

/**
 * Lambda's poller of a queue until it is empty: for each event one receive and one delete, which are paid like the function's own. How Lambda groups
 * its receives is not told by anybody; one for each event is the most that it can need. Throws where a record failed: nothing here should.
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
