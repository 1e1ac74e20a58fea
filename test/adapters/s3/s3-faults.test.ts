import { createHash } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { createS3Client, createS3ObjectStore } from '../../../lib/adapters/s3/object-store.ts';
import type { FreshetError } from '../../../lib/core/errors.ts';
import type { ObjectStore } from '../../../lib/ports/queues.ts';
import {
  neverAnswer,
  type Reply,
  replyWithXmlError,
  resetConnection,
  type ScriptedAwsServer,
  startScriptedAwsServer,
} from '../../doubles/scripted-aws-server.ts';

const KEY = 'claims/1/dispatch/attempt';
const BODY = Buffer.from('the vectors of a batch');

let server: ScriptedAwsServer | undefined;
let client: ReturnType<typeof createS3Client> | undefined;
afterEach(async () => {
  client?.destroy();
  await server?.close();
});

async function openStore(...replies: Reply[]): Promise<ObjectStore> {
  server = await startScriptedAwsServer(replies);
  const isSilent = replies.some(reply => reply === neverAnswer || reply === replyAndStall);
  client = createS3Client(isSilent ? server.hurried : server.access);
  return createS3ObjectStore({ client, bucket: 'bucket', maxObjectBytes: 1_000 });
}

async function failureOf(call: Promise<unknown>): Promise<FreshetError> {
  const failure = await call.then(
    () => undefined,
    error => error,
  );
  expect(failure?.name).toBe('FreshetError');
  const told = `${failure.message} ${failure.stack} ${JSON.stringify(failure)} ${String(failure.cause)}`;
  expect(told).not.toMatch(/secret words|vectors of a batch|dispatch\/attempt/);
  return failure;
}

const stored: Reply = response => response.writeHead(200).end();
const exists = replyWithXmlError(412, 'PreconditionFailed');
const conflict = replyWithXmlError(409, 'ConditionalRequestConflict');
const failed = replyWithXmlError(500, 'InternalError');

const replyWithBody =
  (body: Buffer, headers: Record<string, string> = {}): Reply =>
  response =>
    response.writeHead(200, { 'content-length': String(body.length), ...headers }).end(body);

/** The headers promise the whole body, half of it comes. */
const replyWithHalf: Reply = response => {
  response.writeHead(200, { 'content-length': String(BODY.length) });
  response.write(BODY.subarray(0, 5), () => response.socket?.destroy());
};

const replyAndStall: Reply = response => {
  response.writeHead(200, { 'content-length': String(BODY.length) });
  response.write(BODY.subarray(0, 5));
};

describe('a put into S3', () => {
  test('goes under a key only if nothing stands there, with the hash of its bytes', async () => {
    const store = await openStore(stored);

    await store.put(KEY, BODY);

    const [request] = server?.requests ?? [];
    expect(request).toMatchObject({ method: 'PUT', body: BODY });
    expect(request?.path).toMatch(/^\/bucket\/claims\/1\/dispatch\/attempt(\?|$)/);
    expect(request?.headers).toMatchObject({
      'if-none-match': '*',
      'x-amz-checksum-sha256': createHash('sha256').update(BODY).digest('base64'),
    });
  });

  test('fails where another object stands under its key, however often it is asked', async () => {
    const store = await openStore(exists);

    for (let call = 1; call <= 2; call += 1) {
      expect(await failureOf(store.put(KEY, BODY))).toMatchObject({
        failureClass: 'unknown',
        code: 'aws_http_412',
      });
      expect(server?.requests).toHaveLength(call);
    }
  });

  test.each([
    ['a failed request', failed],
    ['a connection that was reset', resetConnection],
    ['a request without an answer', neverAnswer],
  ])('takes an object that stands there after %s of its own for its own', async (_, lost) => {
    const store = await openStore(lost, exists);

    await store.put(KEY, BODY);

    expect(server?.requests).toHaveLength(2);
  });

  test('remembers over calls that it may have been stored, as long as the bytes are the same', async () => {
    const store = await openStore(resetConnection, resetConnection, resetConnection, exists);
    expect(await failureOf(store.put(KEY, BODY))).toMatchObject({ failureClass: 'transient' });

    await store.put(KEY, BODY);

    expect(server?.requests).toHaveLength(4);
    expect(await failureOf(store.put(KEY, BODY))).toMatchObject({ code: 'aws_http_412' });
  });

  test('does not take other bytes under its key for its own', async () => {
    const store = await openStore(resetConnection, resetConnection, resetConnection, exists);
    await failureOf(store.put(KEY, BODY));

    expect(await failureOf(store.put(KEY, Buffer.from('others')))).toMatchObject({ code: 'aws_http_412' });
  });

  test('is repeated when it meets another write of its key', async () => {
    const store = await openStore(conflict, stored);

    await store.put(KEY, BODY);

    expect(server?.requests).toHaveLength(2);
  });

  test('is left to the queue when it meets other writes again and again', async () => {
    const store = await openStore(conflict);

    expect(await failureOf(store.put(KEY, BODY))).toMatchObject({
      failureClass: 'transient',
      code: 'aws_http_409',
    });
    expect(server?.requests).toHaveLength(3);
  });

  test('goes over a new connection when the kept one is dead', async () => {
    const store = await openStore(stored, resetConnection, stored);
    await store.put('claims/first', BODY);

    await store.put('claims/second', BODY);

    expect(server?.requests.map(({ connection }) => connection)).toEqual([1, 1, 2]);
  });

  test.each([
    ['AccessDenied', 'stop', 403],
    ['InvalidAccessKeyId', 'stop', 403],
    ['ExpiredToken', 'transient', 400],
    ['SomethingNew', 'unknown', 400],
  ])('refused with %s is of the class %s', async (code, failureClass, status) => {
    const store = await openStore(replyWithXmlError(status as number, code as string));

    expect(await failureOf(store.put(KEY, BODY))).toMatchObject({ failureClass, code: `aws_${code}` });
  });
});

describe('a call of S3 that takes too long altogether', () => {
  test('is given up in the middle of its repeats', async () => {
    server = await startScriptedAwsServer([neverAnswer]);
    client = createS3Client(server.access);
    const store = createS3ObjectStore({ client, bucket: 'bucket', timeoutMs: 1_000 });

    for (const call of [() => store.get(KEY), () => store.put(KEY, BODY)])
      expect(await failureOf(call())).toMatchObject({ failureClass: 'transient', code: 'aws_timeout' });
    expect(server.requests).toHaveLength(2);
  });
});

describe('a get from S3', () => {
  test('finds nothing under a key that does not exist', async () => {
    const store = await openStore(replyWithXmlError(404, 'NoSuchKey'));

    expect(await store.get(KEY)).toBeUndefined();
  });

  test('does not mistake a missing right for a missing object', async () => {
    const store = await openStore(replyWithXmlError(403, 'AccessDenied'));

    expect(await failureOf(store.get(KEY))).toMatchObject({ failureClass: 'stop', code: 'aws_AccessDenied' });
  });

  test('slowed down again and again is transient, after three requests', async () => {
    const store = await openStore(replyWithXmlError(503, 'SlowDown'));

    expect(await failureOf(store.get(KEY))).toMatchObject({
      failureClass: 'transient',
      code: 'aws_SlowDown',
    });
    expect(server?.requests).toHaveLength(3);
  });

  test.each([
    ['breaks off', replyWithHalf],
    ['stands still', replyAndStall],
    ['has another checksum', replyWithBody(BODY, { 'x-amz-checksum-crc32': 'AAAAAA==' })],
  ])('whose body %s is repeated', async (_, broken) => {
    const store = await openStore(broken, replyWithBody(BODY));

    expect(await store.get(KEY)).toEqual(BODY);
    expect(server?.requests).toHaveLength(2);
  });

  test.each([
    ['breaks off', replyWithHalf, 3],
    ['has another checksum', replyWithBody(BODY, { 'x-amz-checksum-crc32': 'AAAAAA==' }), 3],
  ])('whose body always %s is left to the queue', async (_, broken, requests) => {
    const store = await openStore(broken);

    expect(await failureOf(store.get(KEY))).toMatchObject({
      failureClass: 'transient',
      code: 'aws_body_broken',
    });
    expect(server?.requests).toHaveLength(requests);
  });

  test('gives up a server that does not answer after three requests', async () => {
    const store = await openStore(neverAnswer);

    expect(await failureOf(store.get(KEY))).toMatchObject({ failureClass: 'transient', code: 'aws_timeout' });
    expect(server?.requests).toHaveLength(3);
  });

  test('stops reading an object over the limit that does not say its length', async () => {
    const store = await openStore(response => response.writeHead(200).end(Buffer.alloc(1_001)));

    expect(await failureOf(store.get(KEY))).toMatchObject({ code: 'object_too_large' });
    expect(server?.requests).toHaveLength(1);
  });
});
