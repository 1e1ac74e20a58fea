import { type Network, openNetwork } from '../../lib/adapters/network/open-network.ts';
import { createHttpProvider } from '../../lib/adapters/providers/http.ts';
import { createOllamaProvider } from '../../lib/adapters/providers/ollama.ts';
import { createOpenAiProvider } from '../../lib/adapters/providers/openai.ts';
import { createSageMakerProvider, openInvoker } from '../../lib/adapters/providers/sagemaker.ts';
import { FreshetError } from '../../lib/core/errors.ts';
import type { FailureClass } from '../../lib/core/model.ts';
import { rejectOtherModel, validateReply } from '../../lib/core/reply.ts';
import { buyVectors, type Purchase } from '../../lib/pipeline/embed/buy-vectors.ts';
import type { Clock } from '../../lib/ports/process.ts';
import type { EmbeddingProvider, KeySource } from '../../lib/ports/provider.ts';
import { type Behaviour, POISON } from '../doubles/behaviours/behaviour.ts';
import { DIMENSIONS, PROTOCOLS, type ProtocolName } from '../doubles/behaviours/protocols.ts';
import { type BehaviourServer, startBehaviourServer } from '../doubles/behaviours/start-behaviour-server.ts';
import { createNetworkClock } from '../doubles/network-clock.ts';
import { makeSpace } from '../factories/space.ts';
import { makeWorld } from '../factories/world.ts';

export const TEXTS = ['canary-7d1f one', POISON, 'canary-7d1f three'] as const;
export const KEYS = { old: 'canary-key-old', fresh: 'canary-key-fresh' } as const;

const CALL_MS = 30_000;
const INVOCATION_MS = 600_000;

const key: KeySource = async ({ fresh } = { fresh: false }) => (fresh ? KEYS.fresh : KEYS.old);

/** A real adapter and the server on this machine that it calls. */
export interface Stage {
  readonly protocol: ProtocolName;
  readonly server: BehaviourServer;
  provider(clock: Clock): EmbeddingProvider;
  close(): Promise<void>;
}

export const space = makeSpace({
  model: { dimensions: DIMENSIONS, modelId: 'text-embedding-3-small', endpointName: 'embeddings' },
});

export async function openStage(protocol: ProtocolName): Promise<Stage> {
  const server = await startBehaviourServer(PROTOCOLS[protocol]);
  const network = openNetwork();
  return {
    protocol,
    server,
    provider: clock => createProvider(protocol, server.origin, network, clock),
    close: async () => {
      await server.close();
      await network.close();
    },
  };
}

function createProvider(
  protocol: ProtocolName,
  origin: string,
  network: Network,
  clock: Clock,
): EmbeddingProvider {
  if (protocol === 'azure') {
    const baseUrl = `${origin}/openai/deployments/emb?api-version=2024-02-01`;
    return createOpenAiProvider(space.model, { key, baseUrl }, network, clock);
  }
  const model = { ...space.model, provider: protocol, baseUrl: origin };
  if (protocol === 'openai')
    return createOpenAiProvider(model, { key, baseUrl: `${origin}/v1` }, network, clock);
  if (protocol === 'http') return createHttpProvider(model, { key }, network, clock);
  if (protocol === 'ollama') return createOllamaProvider(model, network, clock);
  const credentials = { accessKeyId: 'AKIA', secretAccessKey: KEYS.old };
  return createSageMakerProvider(
    model,
    openInvoker({ endpoint: origin, region: 'eu-central-1', credentials }),
    clock,
  );
}

export interface Observation {
  /** The failure of the first call; undefined where the reply was right. */
  readonly failure: FreshetError | undefined;
  readonly purchase: Purchase;
  readonly calls: number;
  /** Everything that leaves the embed step, as text. */
  readonly traces: string;
}

/** Makes one call by itself, then buys three texts as the embed step does when their message comes again. */
export async function observe(stage: Stage, behaviour: Behaviour): Promise<Observation> {
  const clock = createNetworkClock();
  const provider = stage.provider(clock);
  stage.server.behave(behaviour, () => clock.expire());
  const failure = await callOnce(provider);

  stage.server.behave(behaviour, () => clock.expire());
  const world = makeWorld([space]);
  const purchase = await buyVectors(
    {
      ...world.embedPorts,
      clock,
      providers: () => provider,
      limits: { ...world.embedPorts.limits, callTimeoutMs: CALL_MS },
    },
    space,
    'fresh',
    TEXTS.map(text => ({ text, contentHash: text, rows: [] })),
    () => INVOCATION_MS,
    { redelivered: true },
  );
  const traces = [failure, purchase.ended].flatMap(error => [
    error?.stack,
    error?.code,
    error?.requestId,
    error?.cause,
  ]);
  return {
    failure,
    purchase,
    calls: stage.server.callCount,
    traces: JSON.stringify([
      traces,
      [...purchase.results.values()].filter(({ kind }) => kind !== 'vector'),
      purchase.calls,
      world.logger.lines,
      [...world.metrics.sums],
    ]),
  };
}

async function callOnce(provider: EmbeddingProvider): Promise<FreshetError | undefined> {
  try {
    const reply = await provider.embed({ texts: TEXTS, deadlineMs: CALL_MS });
    rejectOtherModel(reply, space.model.modelId);
    const { invalid } = validateReply(reply, {
      count: TEXTS.length,
      dimensions: DIMENSIONS,
      normalized: true,
    });
    return invalid.length === 0
      ? undefined
      : new FreshetError('', { failureClass: 'item', code: 'invalid_vector' });
  } catch (error) {
    if (error instanceof FreshetError) return error;
    throw error;
  }
}

const ENDINGS: Readonly<Record<FailureClass, string>> = {
  throttled: 'waits in the queue',
  transient: 'goes back to the queue',
  'too-large': 'goes back to the queue',
  item: 'goes back to the queue',
  stop: 'the model is paused',
  unknown: 'goes back to the queue, with an alarm',
};

/** Describes class, code and what became of the three texts in one line of the table. */
export function describeObservation({ failure, purchase, calls }: Observation): string {
  const what = failure ? `${failure.failureClass} | \`${nameCode(failure.code)}\`` : 'none | ';
  return `${what} | ${describePurchase(purchase, failure?.code)} | ${calls}`;
}

function describePurchase(
  { results, ended }: Observation['purchase'],
  firstCode: string | undefined,
): string {
  const nameOther = (code: string | undefined) =>
    code === undefined || code === firstCode ? '' : ` (\`${nameCode(code)}\`)`;
  const kinds = [...results.values()].map(result => (result.kind === 'vector' ? 'embedded' : result.kind));
  const refusedCode = [...results.values()].find(result => result.kind === 'refused')?.code;
  const parts = ['embedded', 'refused', 'too-long']
    .map(kind => [kinds.filter(found => found === kind).length, kind] as const)
    .filter(([count]) => count > 0)
    .map(
      ([count, kind]) =>
        (count === 3 ? `all ${kind}` : `${count} ${kind}`) +
        (kind === 'refused' ? nameOther(refusedCode) : ''),
    );
  if (ended) {
    const wait = ended.retryAfterMs === undefined ? '' : ` for ${ended.retryAfterMs / 1000} s`;
    parts.push(
      `${ENDINGS[ended.failureClass]}${ended.failureClass === 'throttled' ? wait : ''}${nameOther(ended.code)}`,
    );
  }
  return parts.join(', ');
}

/** Shortens network codes: which of them a broken connection ends with depends on timing. */
function nameCode(code: string): string {
  return code.startsWith('network_') ? 'network_…' : code;
}
