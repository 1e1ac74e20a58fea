import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FreshetError } from '../../lib/core/errors.ts';
import type { EmbedPorts } from '../../lib/pipeline/embed/embed-ports.ts';
import { PROBE_TEXT } from '../../lib/pipeline/failures.ts';
import { type Answering, type Behaviour, EVERY, embed, sendJson } from '../doubles/behaviours/behaviour.ts';
import { createNetworkClock } from '../doubles/network-clock.ts';
import { createScriptedProvider, embedAll } from '../doubles/scripted-provider.ts';
import { KEYS, openStage, type Stage, space } from './observe-behaviour.ts';
import { watchEmbedStep } from './watch-embed-step.ts';

const TEXT = 'canary-7d1f: the text of a row';
const TEXTS = ['1', '2', '3'].map(id => `${TEXT} ${id}`);
const WORD = 'canary-7d1f';
/** Also as hexadecimal and as base64 would carry them, wherever in a longer text they stand. */
const CANARIES = [WORD, KEYS.old, KEYS.fresh].flatMap(word => [
  word,
  Buffer.from(word).toString('hex'),
  ...[0, 1, 2].map(shift => {
    const encoded = Buffer.from(`${'x'.repeat(shift)}${word}`).toString('base64url');
    return encoded.slice(Math.ceil((shift * 4) / 3), Math.floor(((shift + word.length) * 4) / 3));
  }),
]);
const isLeaked = (written: string) => CANARIES.find(canary => written.includes(canary));

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

async function runStep(stage: Stage, behaviour: Behaviour) {
  const clock = createNetworkClock();
  stage.server.behave(behaviour, () => clock.expire());
  return watchEmbedStep(TEXTS, clock, () => stage.provider(clock));
}

it.each(
  EVERY.flatMap(protocol => BEHAVIOURS.map(behaviour => [protocol, behaviour.name, behaviour] as const)),
)('nothing of a text or key is written when %s %s', async (protocol, _, behaviour) => {
  const { written, rows } = await runStep(stages.get(protocol)!, behaviour);

  expect(rows).toBe(TEXTS.length);
  expect(stages.get(protocol)!.server.callCount).toBeGreaterThan(0);
  expect(isLeaked(written)).toBeUndefined();
});

describe('a leak would be found', () => {
  const { console: printer } = globalThis;
  const SAID: readonly [string, (ports: EmbedPorts, text: string) => unknown][] = [
    ['a field of a log line', ({ logger }, code) => logger.info('event', { code })],
    ['the event of a log line', ({ logger }, text) => logger.error(text)],
    ['a property of a metric', ({ metrics }, text) => metrics.property('code', text)],
    ['the name of a span', ({ tracer }, name) => tracer?.span({ name, kind: 'internal' }, async () => {})],
    [
      'an attribute of a span',
      ({ tracer }, text) =>
        tracer?.span({ name: 'x', kind: 'internal' }, async span => span.note({ code: text })),
    ],
    ['the console', (_, text) => printer.debug(text)],
    ['an object on the console', (_, text) => printer.warn({ body: { input: [text] } })],
    ['standard error', (_, text) => process.stderr.write(text)],
    ['the reason of a pause', ({ control }, text) => control.pause('model:small', `provider:${text}`, '')],
    ['the detail of a pause', ({ control }, text) => control.pause('model:small', 'provider:x', text)],
    ['the key of an object', ({ objects }, text) => objects.put(`claims/${text}`, Buffer.alloc(0))],
    ['an object', ({ objects }, text) => objects.put('claims/1', Buffer.from(`x${text}`))],
    [
      'an object, in base64',
      ({ objects }, text) => objects.put('claims/1', Buffer.from(btoa(`{"t":"${text}`))),
    ],
    ['an announcement', ({ results }, text) => results.send([{ body: text }])],
    ['a grant', ({ embedding }, text) => embedding.grantCall(space, makeGrant(text))],
    [
      'what a terminal is told',
      ({ observer }, message) =>
        observer?.postponed(1, 1, { failureClass: 'transient', code: 'timeout', message }),
    ],
  ];
  const makeGrant = (modelAlias: string) => ({
    ...{ callId: 'planted', spaceId: space.spaceId, modelAlias, estimatedTokens: 1, estimatedCostUsd: 0 },
  });

  it.each(SAID)('in %s', async (_, say) => {
    const scripted = createScriptedProvider();
    const { written } = await watchEmbedStep(TEXTS, createNetworkClock(), ports => ({
      ...scripted,
      embed: async request => {
        await say(ports, request.texts.find(text => text !== PROBE_TEXT) ?? WORD);
        return scripted.embed(request);
      },
    }));

    expect(isLeaked(written)).toBeDefined();
  });

  const failure = (details: object = {}) =>
    Object.assign(new FreshetError('', { failureClass: 'stop', code: 'forbidden' }), details);
  it.each<[string, (text: string) => Error]>([
    ['the message of an error', text => new FreshetError(text, { failureClass: 'stop', code: 'forbidden' })],
    ['the code of an error', code => new FreshetError('', { failureClass: 'stop', code })],
    ['the request id of an error', requestId => failure({ requestId })],
    ['the stack of an error', stack => failure({ stack })],
    ['the cause of an error', text => failure({ cause: new Error(text) })],
    ['the cause of a cause', text => failure({ cause: new Error('', { cause: { body: text } }) })],
    ['one of the errors behind an error', text => failure({ cause: new AggregateError([new Error(text)]) })],
    [
      'a property that is not listed',
      value => Object.defineProperty(failure(), 'headers', { value, enumerable: false }),
    ],
  ])('in %s', async (_, fail) => {
    const { written } = await watchEmbedStep(TEXTS, createNetworkClock(), () => ({
      ...createScriptedProvider(),
      embed: async ({ texts }) => {
        throw fail(texts[0] ?? '');
      },
    }));

    expect(isLeaked(written)).toBeDefined();
  });

  it('in an error of the step itself', async () => {
    const { written } = await watchEmbedStep(TEXTS, createNetworkClock(), ports => ({
      ...createScriptedProvider(),
      embed: async ({ texts }) => {
        ports.objects.put = async () => {
          throw new Error('', { cause: new Error(texts[0]) });
        };
        return embedAll({ texts, deadlineMs: 1 });
      },
    }));

    expect(isLeaked(written)).toBeDefined();
  });
});
