import { afterAll, beforeAll, expect, it } from 'vitest';
import { createJsonLogger } from '../../lib/adapters/system/json-logger.ts';
import { FreshetError } from '../../lib/core/errors/freshet-error.ts';
import type { EmbedPorts } from '../../lib/pipeline/embed/embed-ports.ts';
import { embedRecord } from '../../lib/pipeline/embed/embed-record.ts';
import { type Answering, type Behaviour, EVERY, embed, sendJson } from '../doubles/behaviours/behaviour.ts';
import { putRow } from '../doubles/memory-database.ts';
import { createNetworkClock } from '../doubles/network-clock.ts';
import { createScriptedProvider } from '../doubles/scripted-provider.ts';
import { makeWorld } from '../factories/world.ts';
import { KEYS, openStage, type Stage, space } from '../support/observe-behaviour.ts';

const TEXT = 'canary-7d1f: the text of a row';
const DISPATCH = '00000000-0000-4000-8000-000000000001';
const IDS = ['1', '2', '3'];
/** Also as JSON, base64 and a URL would carry them. */
const CANARIES = ['canary-7d1f', KEYS.old, KEYS.fresh].flatMap(word => [
  word,
  Buffer.from(word).toString('hex'),
  Buffer.from(word).toString('base64').slice(0, 10),
]);

/** An error that holds all it was sent, wherever an error can hold anything. */
function echo({ protocol, texts, body, headers, response }: Answering, status: number): void {
  const all = `${texts.join(' ')} ${JSON.stringify(body)} ${headers.authorization} ${Object.values(KEYS).join(' ')}`;
  if (protocol.name !== 'sagemaker') {
    const error = { message: all, code: all, type: all, param: all };
    const requestId = encodeURIComponent(texts[0] ?? '');
    sendJson(
      response,
      status,
      { error, message: all },
      { 'x-request-id': requestId, 'retry-after': requestId },
    );
    return;
  }
  const original = JSON.stringify({ error: all, error_type: all });
  sendJson(
    response,
    424,
    { Message: all, OriginalStatusCode: status, OriginalMessage: original, LogStreamArn: all },
    { 'x-amzn-errortype': 'ModelError', 'x-amzn-requestid': encodeURIComponent(texts[0] ?? '') },
  );
}

const always = (status: number): Behaviour => ({
  name: `always ${status}`,
  protocols: EVERY,
  answer: answering => echo(answering, status),
});
const BEHAVIOURS: readonly Behaviour[] = [
  ...[307, 400, 401, 404, 413, 418, 422, 429, 500, 503].map(always),
  {
    name: 'refuses one text',
    protocols: EVERY,
    answer: answering =>
      answering.texts.some(text => text.endsWith('2')) ? echo(answering, 422) : embed(answering),
  },
  {
    name: 'echoes with status 200',
    protocols: EVERY,
    answer: ({ response, texts }) =>
      sendJson(response, 200, { error: { code: texts[0], message: texts[0] } }),
  },
  { name: 'embeds', protocols: EVERY, answer: answering => embed(answering) },
];

const stages = new Map<string, Stage>();
beforeAll(async () => {
  for (const protocol of EVERY) stages.set(protocol, await openStage(protocol));
});
afterAll(async () => {
  await Promise.all([...stages.values()].map(stage => stage.close()));
});

/** Everything that the embed step wrote anywhere, as text. */
async function runStep(stage: Stage, behaviour: Behaviour): Promise<{ written: string; rows: number }> {
  const clock = createNetworkClock();
  const world = makeWorld([space]);
  const table = world.database.of(space);
  for (const id of IDS) {
    putRow(world.database, space, id, `${TEXT} ${id}`);
    const expiresAtMs = world.clock.now() + 3_600_000;
    table.leases.set(id, { dispatchId: DISPATCH, lane: 'fresh', stage: 'queued', attempts: 0, expiresAtMs });
  }
  const written: unknown[] = [];
  const logger = createJsonLogger(line => written.push(line), world.clock, { component: 'embed', runId: 1 });
  const ports: EmbedPorts = {
    ...world.embedPorts,
    ...{ clock, logger, providers: () => stage.provider(clock) },
    objects: {
      ...world.objects,
      put: (key, body) => {
        written.push(key, body.toString('latin1'), body.toString('hex'));
        return world.objects.put(key, body);
      },
    },
  };
  stage.server.behave(behaviour, () => clock.expire());
  const body = JSON.stringify({
    ...{ v: 1, kind: 'dispatch', spaceId: space.spaceId, lane: 'fresh', dispatchId: DISPATCH, attempts: 0 },
    ids: IDS,
  });
  const record = { messageId: 'message', receiptHandle: 'message#1', body, receiveCount: 1 };
  try {
    await embedRecord(ports, record, () => 600_000);
  } catch (error) {
    written.push(String(error), error instanceof Error ? [error.stack, error.cause] : error);
  }
  written.push(world.logger.lines, [...world.metrics.sums], world.results.remainingBodies());
  written.push(
    world.dispatch.map(({ queue }) => queue.remainingBodies()),
    world.deadLetters.remainingBodies(),
  );
  written.push([...world.database.pauses], [...world.database.grants], [...table.leases]);
  return { written: JSON.stringify(written), rows: table.leases.size };
}

it.each(
  EVERY.flatMap(protocol => BEHAVIOURS.map(behaviour => [protocol, behaviour.name, behaviour] as const)),
)('nothing of a text or key is written when %s %s', async (protocol, _, behaviour) => {
  const { written, rows } = await runStep(stages.get(protocol)!, behaviour);

  expect(rows).toBe(IDS.length);
  expect(stages.get(protocol)!.server.callCount).toBeGreaterThan(0);
  for (const canary of CANARIES) expect(written.includes(canary), canary).toBe(false);
});

it('would be found where an adapter let it through', async () => {
  const leaking: Stage = {
    ...stages.get('http')!,
    provider: () => ({
      ...createScriptedProvider(),
      embed: async ({ texts }) => {
        throw new FreshetError('', { failureClass: 'stop', code: texts[0] ?? '' });
      },
    }),
  };

  const { written } = await runStep(leaking, always(500));

  expect(written).toContain('canary-7d1f');
});
