import { createHash } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { createSqsClient, createSqsQueue } from '../../../lib/adapters/sqs/sqs-queue.ts';
import type { FreshetError } from '../../../lib/core/errors.ts';
import type { ReceivingQueue } from '../../../lib/ports/queues.ts';
import {
  neverAnswer,
  type ReceivedRequest,
  type Reply,
  replyWithJson,
  replyWithJsonError,
  resetConnection,
  type ScriptedAwsServer,
  startScriptedAwsServer,
} from '../../doubles/scripted-aws-server.ts';

let server: ScriptedAwsServer | undefined;
let client: ReturnType<typeof createSqsClient> | undefined;
afterEach(async () => {
  client?.destroy();
  await server?.close();
});

async function openQueue(...replies: Reply[]): Promise<ReceivingQueue> {
  server = await startScriptedAwsServer(replies);
  client = createSqsClient(replies.includes(neverAnswer) ? server.hurried : server.access);
  return createSqsQueue({ client, queueUrl: 'https://sqs.us-east-1.amazonaws.com/1/queue' });
}

async function failureOf(call: Promise<unknown>): Promise<FreshetError> {
  const failure = await call.then(
    () => undefined,
    error => error,
  );
  expect(failure?.name).toBe('FreshetError');
  expect(`${failure.message} ${failure.stack} ${JSON.stringify(failure)}`).not.toContain('secret words');
  return failure;
}

interface Entry {
  readonly Id: string;
  readonly MessageBody: string;
}

const entriesOf = (request: ReceivedRequest): Entry[] => JSON.parse(request.body.toString()).Entries;

function take({ Id, MessageBody }: Entry) {
  return { Id, MessageId: `m-${Id}`, MD5OfMessageBody: createHash('md5').update(MessageBody).digest('hex') };
}

const takeAll = replyWithJson(request => ({ Successful: entriesOf(request).map(take) }));

/** Takes every message but those whose body says that it is refused. */
const refuse = (Code: string, SenderFault: boolean) =>
  replyWithJson(request => {
    const entries = entriesOf(request);
    const refused = entries.filter(({ MessageBody }) => MessageBody.includes('refused'));
    return {
      Successful: entries.filter(entry => !refused.includes(entry)).map(take),
      Failed: refused.map(({ Id }) => ({ Id, Code, SenderFault, Message: 'secret words' })),
    };
  });

const bodies = (count: number) => Array.from({ length: count }, (_, index) => ({ body: `body ${index}` }));
const sentBodies = () =>
  (server?.requests ?? []).map(request => entriesOf(request).map(entry => entry.MessageBody));

describe('a send to SQS', () => {
  test('goes out in batches of at most ten', async () => {
    const queue = await openQueue(takeAll);

    const report = await queue.send(bodies(23));

    expect(report.failed).toEqual([]);
    expect(
      sentBodies()
        .map(batch => batch.length)
        .sort(),
    ).toEqual([10, 10, 3].sort());
    expect(new Set(sentBodies().flat()).size).toBe(23);
  });

  test('of nothing asks for nothing', async () => {
    const queue = await openQueue(takeAll);

    expect(await queue.send([])).toEqual({ failed: [] });
    expect(server?.requests).toHaveLength(0);
  });

  test('names the position and code of a message that the queue refused, and does not repeat it', async () => {
    const queue = await openQueue(refuse('InvalidMessageContents', true));

    const report = await queue.send([...bodies(11), { body: 'refused' }, ...bodies(2)]);

    expect(report.failed).toEqual([{ index: 11, code: 'InvalidMessageContents' }]);
    expect(server?.requests).toHaveLength(2);
  });

  test('repeats a message that the queue failed to take, alone', async () => {
    const queue = await openQueue(refuse('InternalError', false), takeAll);

    const report = await queue.send([...bodies(2), { body: 'refused at first' }]);

    expect(report.failed).toEqual([]);
    expect(sentBodies()[1]).toEqual(['refused at first']);
  });

  test('gives up a message that the queue fails to take three times', async () => {
    const queue = await openQueue(refuse('InternalError', false));

    const report = await queue.send([{ body: 'refused' }, ...bodies(2)]);

    expect(report.failed).toEqual([{ index: 0, code: 'InternalError' }]);
    expect(sentBodies()).toEqual([['refused', 'body 0', 'body 1'], ['refused'], ['refused']]);
  });

  test('takes a message that the answer does not mention for one that was not accepted', async () => {
    const queue = await openQueue(
      replyWithJson(request => ({ Successful: entriesOf(request).slice(1).map(take) })),
    );

    const report = await queue.send(bodies(1));

    expect(report.failed).toEqual([{ index: 0, code: 'NotAccepted' }]);
  });

  test('sends no message that SQS cannot carry, and the others', async () => {
    const queue = await openQueue(takeAll);

    const report = await queue.send([
      { body: '' },
      { body: 'fine' },
      { body: 'half a pair \ud800' },
      { body: 'no character \uffff' },
      { body: 'nul \0' },
      { body: 'late', delaySeconds: 901 },
      { body: 'ä'.repeat(524_289) },
    ]);

    expect(report.failed).toEqual([
      { index: 0, code: 'EmptyValue' },
      { index: 2, code: 'InvalidMessageContents' },
      { index: 3, code: 'InvalidMessageContents' },
      { index: 4, code: 'InvalidMessageContents' },
      { index: 5, code: 'InvalidParameterValue' },
      { index: 6, code: 'MessageTooLong' },
    ]);
    expect(sentBodies()).toEqual([['fine']]);
  });

  test('reports what one failed batch held when another got through', async () => {
    const refuseOne: Reply = (response, request) =>
      (entriesOf(request).some(({ MessageBody }) => MessageBody === 'body 12')
        ? replyWithJsonError(400, 'AccessDeniedException')
        : takeAll)(response, request);
    const queue = await openQueue(refuseOne);

    const report = await queue.send(bodies(13));

    expect(report.failed).toEqual([10, 11, 12].map(index => ({ index, code: 'aws_AccessDeniedException' })));
  });

  test('rejects when no batch got through', async () => {
    const queue = await openQueue(replyWithJsonError(403, 'AccessDeniedException'));

    expect(await failureOf(queue.send(bodies(13)))).toMatchObject({
      failureClass: 'stop',
      code: 'aws_AccessDeniedException',
      requestId: 'request-1',
    });
  });

  test('is repeated after a server error', async () => {
    const queue = await openQueue(replyWithJsonError(500, 'InternalError'), takeAll);

    expect(await queue.send(bodies(1))).toEqual({ failed: [] });
  });

  test('goes over a new connection when the kept one is dead', async () => {
    const queue = await openQueue(takeAll, resetConnection, takeAll);
    await queue.send(bodies(1));

    expect(await queue.send(bodies(1))).toEqual({ failed: [] });

    expect(server?.requests.map(({ connection }) => connection)).toEqual([1, 1, 2]);
  });

  test.each([
    ['never answers', neverAnswer, 'aws_timeout'],
    ['resets every connection', resetConnection, 'network_econnreset'],
  ])('to a server that %s ends after three requests', async (_, reply, code) => {
    const queue = await openQueue(reply);

    expect(await failureOf(queue.send(bodies(1)))).toMatchObject({ failureClass: 'transient', code });
    expect(server?.requests).toHaveLength(3);
  });

  test('that takes too long altogether is given up in the middle of its repeats', async () => {
    server = await startScriptedAwsServer([neverAnswer]);
    client = createSqsClient(server.access);
    const queue = createSqsQueue({ client, queueUrl: 'https://queue.invalid/1/queue', sendTimeoutMs: 1_000 });

    expect(await failureOf(queue.send(bodies(1)))).toMatchObject({
      failureClass: 'transient',
      code: 'aws_timeout',
    });
    expect(server.requests).toHaveLength(1);
  });

  test('throttled three times is throttled', async () => {
    const queue = await openQueue(replyWithJsonError(400, 'RequestThrottled'));

    expect(await failureOf(queue.send(bodies(1)))).toMatchObject({
      failureClass: 'throttled',
      code: 'aws_RequestThrottled',
    });
    expect(server?.requests).toHaveLength(3);
  });
});

describe('a receive from SQS', () => {
  test('does not invent what an answer lacks', async () => {
    const message = {
      MessageId: 'm',
      ReceiptHandle: 'r',
      Body: 'b',
      MD5OfBody: '92eb5ffee6ae2fec3ad71c777531578f',
    };
    const queue = await openQueue(replyWithJson(() => ({ Messages: [message] })));

    expect(await failureOf(queue.receive(1))).toMatchObject({ code: 'incomplete_message' });
  });

  test.each(['ReceiptHandleIsInvalid', 'InvalidParameterValue', 'MessageNotInflight'])(
    'leaves nothing to do for a receipt that SQS refuses with %s',
    async code => {
      const queue = await openQueue(replyWithJsonError(400, code));

      await queue.changeVisibility('receipt', 10);
      await queue.delete('receipt');

      expect(server?.requests).toHaveLength(2);
    },
  );

  test('does not hide that it may not change a visibility', async () => {
    const queue = await openQueue(replyWithJsonError(403, 'AccessDeniedException'));

    expect(await failureOf(queue.changeVisibility('receipt', 10))).toMatchObject({ failureClass: 'stop' });
    expect(await failureOf(queue.delete('receipt'))).toMatchObject({ failureClass: 'stop' });
  });
});
