import { LambdaClient } from '@aws-sdk/client-lambda';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLambdaEventSources } from '../../../lib/adapters/aws/event-sources.ts';
import { type LoopbackLambdaApi, startLoopbackLambdaApi } from '../../doubles/loopback-lambda-api.ts';
import { LOCAL_CREDENTIALS } from '../../servers/start-fauxqs.ts';

const ID = '14e0db71-5d35-4eb5-b481-8945cf9d10c2';
const MARK = ['freshet:paused-by', 'guard'];

let api: LoopbackLambdaApi;
let client: LambdaClient;
beforeEach(async () => {
  api = await startLoopbackLambdaApi([ID]);
  client = new LambdaClient({
    region: 'us-east-1',
    endpoint: api.endpoint,
    credentials: LOCAL_CREDENTIALS,
    maxAttempts: 1,
  });
});
afterEach(async () => {
  client.destroy();
  await api.close();
});
const mapping = () => api.mappings.get(ID)!;

describe('event source mappings', () => {
  test('are marked, then closed; opened, then no longer marked', async () => {
    const sources = createLambdaEventSources(client);

    await sources.close(await sources.read(ID));
    const closed = await sources.read(ID);
    const marks = [...mapping().tags];
    await sources.open(closed);

    expect(closed).toMatchObject({ mappingId: ID, state: 'closed', closedByUs: true });
    expect(marks).toEqual([MARK]);
    expect(await sources.read(ID)).toMatchObject({ state: 'open', closedByUs: false });
    expect(api.changes.map(change => change.replace(/ .*\/(tags|event-source-mappings)\/.*/, ' $1'))).toEqual(
      ['POST tags', 'PUT event-source-mappings', 'PUT event-source-mappings', 'DELETE tags'],
    );
  });

  test('closed by hand carry no mark of ours', async () => {
    mapping().state = 'Disabled';
    mapping().tags.set('team', 'search');

    expect(await createLambdaEventSources(client).read(ID)).toMatchObject({
      state: 'closed',
      closedByUs: false,
    });
  });

  test.each(['Creating', 'Enabling', 'Disabling', 'Updating', 'Deleting'])(
    'that are %s are changing',
    async state => {
      mapping().state = state;

      expect(await createLambdaEventSources(client).read(ID)).toMatchObject({ state: 'changing' });
    },
  );

  test('that are open and marked only lose the mark', async () => {
    mapping().tags.set('freshet:paused-by', 'guard');
    const sources = createLambdaEventSources(client);

    await sources.open(await sources.read(ID));

    expect(api.changes).toHaveLength(1);
    expect(mapping()).toMatchObject({ state: 'Enabled', tags: new Map() });
  });

  test('that do not exist are a failure with a class', async () => {
    await expect(createLambdaEventSources(client).read('gone')).rejects.toMatchObject({
      failureClass: 'stop',
      code: 'aws_ResourceNotFoundException',
    });
  });
});
