import type { DetectPorts } from '../../lib/pipeline/detect/detect-ports.ts';
import type { EmbedPorts } from '../../lib/pipeline/embed/embed-ports.ts';
import type { GuardPorts, GuardState } from '../../lib/pipeline/guard/guard-ports.ts';
import type { RecordPorts } from '../../lib/pipeline/records.ts';
import type { WritePorts } from '../../lib/pipeline/write/write-step.ts';
import type { BatchLane, BatchStore } from '../../lib/ports/batches.ts';
import type { ControlStore, ProbeClaims, SpaceRegistry } from '../../lib/ports/control-store.ts';
import type { EmbeddingStore } from '../../lib/ports/outcome-store.ts';
import type { PaceStore } from '../../lib/ports/pace-store.ts';
import type { LogFields, Logger, Metrics } from '../../lib/ports/process.ts';
import type { MessageQueue } from '../../lib/ports/queues.ts';
import { callPort, sleep } from './call-port.ts';
import { watchBatches } from './check-batches.ts';
import { noteUntold } from './check-caps.ts';
import { noteTold } from './check-skipped.ts';
import { watchDetection } from './check-staleness.ts';
import type { Invocation } from './invocation.ts';
import { createObjects, createSender } from './service-ports.ts';
import { createBatchProvider } from './simulated-batches.ts';
import {
  createEventSources,
  createProbedProvider,
  mappingsOf,
  watchClaims,
  watchProbeGrants,
} from './simulated-guard.ts';
import { answerCall } from './simulated-provider.ts';
import { MAX_RECEIVE_COUNT } from './simulated-queue.ts';
import { CANARY } from './texts.ts';
import { proveWrites, watchControl, watchEmbedding, watchOutcomes, watchPace } from './watched-stores.ts';
import { START_MS, type World } from './world.ts';
import { wrapMethods } from './wrap-methods.ts';

/** The ports of one process, each set made when it is asked for; `current` is the invocation that it works on. */
export interface SimulatedPorts {
  readonly records: RecordPorts;
  readonly detect: DetectPorts;
  readonly embed: EmbedPorts;
  readonly write: WritePorts;
  readonly guard: GuardPorts;
}

const SILENT: Metrics = {
  count() {},
  duration() {},
  property() {},
  async flush() {},
};

export function createPorts(world: World, current: () => Invocation): SimulatedPorts {
  const shared = createShared(world, current);
  const detect = once(() => createDetectPorts(world, current, shared));
  const embed = once(() => createEmbedPorts(world, current, shared));
  const write = once(() => ({
    ...shared,
    outcomes: wrapMethods(world, current, watchOutcomes(world, current)),
  }));
  const guard = once(() => createGuardPorts(world, current, shared));
  return {
    records: shared,
    get detect() {
      return detect();
    },
    get embed() {
      return embed();
    },
    get write() {
      return write();
    },
    get guard() {
      return guard();
    },
  };
}

function once<Value>(make: () => Value): () => Value {
  let made: Value | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

type Shared = ReturnType<typeof createShared>;

function createShared(world: World, current: () => Invocation) {
  return {
    spaces: wrapMethods<SpaceRegistry>(world, current, world.stores.registry),
    control: wrapMethods<ControlStore>(world, current, watchControl(world, current)),
    clock: {
      now: () => START_MS + world.scheduler.nowMs(),
      sleep: (ms: number) => sleep(world, current(), ms),
    },
    randomness: { fraction: world.random.fraction, identifier: world.newIdentifier },
    metrics: SILENT,
    logger: createWatchedLogger(world, current),
    runId: null,
    objects: createObjects(world, current),
  };
}

const receivesSeconds = ({ shape }: World) => shape.visibilitySeconds * MAX_RECEIVE_COUNT;

function createDetectPorts(world: World, current: () => Invocation, shared: Shared): DetectPorts {
  const { batchSize, maxInFlight, sliceRows } = world.shape;
  return {
    ...shared,
    queues: createSenders(world, current),
    detection: wrapMethods(world, current, watchDetection(world, current)),
    limits: { batchSize, maxInFlight, sliceRows, queuedLeaseSeconds: receivesSeconds(world) },
    drainClock: shared.clock,
    ...(world.shape.batch && {
      batches: wrapMethods<Pick<BatchStore, 'isDue'>>(world, current, { isDue: world.stores.batches.isDue }),
    }),
  };
}

function createEmbedPorts(world: World, current: () => Invocation, shared: Shared): EmbedPorts {
  const providers = new Map(
    world.spaces.map(({ model }) => [model.alias, createProvider(world, current, model.alias)] as const),
  );
  return {
    ...shared,
    queues: createSenders(world, current),
    embedding: createEmbedding(world, current),
    pace: wrapMethods<PaceStore>(world, current, watchPace(world, current)),
    providers: alias => providers.get(alias) as ReturnType<EmbedPorts['providers']>,
    tokenizer: {
      count: async text => text.length,
      truncate: async text => ({ text, tokens: text.length }),
    },
    results: createSender(world, current, world.services.results),
    ...(world.shape.batch && { batches: createBatchLane(world, current) }),
    limits: {
      batchSize: world.shape.batchSize,
      callTimeoutMs: 30_000,
      callsAtOnce: world.shape.concurrency,
      maxReceiveCount: MAX_RECEIVE_COUNT,
      announcedLeaseSeconds: receivesSeconds(world),
      maxBytesPerColumn: 10_000,
    },
  };
}

function createBatchLane(world: World, current: () => Invocation): BatchLane {
  const provider = createBatchProvider(world, current);
  return {
    store: wrapMethods<BatchStore>(world, current, watchBatches(world, current)),
    providers: () => provider,
  };
}

function createGuardPorts(world: World, current: () => Invocation, shared: Shared): GuardPorts {
  const granted = new Map<string, string>();
  const { embedding } = world.stores;
  const state: GuardState = {
    control: shared.control,
    spaces: shared.spaces,
    probes: wrapMethods<ProbeClaims>(world, current, watchClaims(world, current)),
    embedding: wrapMethods<Pick<EmbeddingStore, 'grantCall' | 'revokeGrant'>>(world, current, {
      grantCall: watchProbeGrants(world, granted),
      revokeGrant: embedding.revokeGrant,
    }),
    outcomes: wrapMethods(world, current, watchOutcomes(world, current)),
    requireWrites: () =>
      callPort(world, current(), 'requireWrites', 'database', () => proveWrites(world, current)),
  };
  const limits = limitsOf(world);
  return {
    ...shared,
    mappings: mappingsOf(world),
    eventSources: createEventSources(world, current),
    openState: async () => {
      await callPort(world, current(), 'openState', 'database', () => undefined);
      return state;
    },
    providers: alias => createProbedProvider(world, current, alias, granted, limits),
  };
}

function createSenders(world: World, current: () => Invocation) {
  const queues = new Map(
    world.services.dispatch.map(({ alias, lane, queue }) => [
      `${alias}-${lane}`,
      createSender(world, current, queue),
    ]),
  );
  return (alias: string, lane: string) => queues.get(`${alias}-${lane}`) as MessageQueue;
}

/** Bills come to the database only where they are above their estimates: other seeds keep their histories. */
function createEmbedding(world: World, current: () => Invocation): EmbeddingStore {
  const port = wrapMethods<EmbeddingStore>(world, current, watchEmbedding(world, current));
  if (world.billFactor === undefined) return port;
  const noteBill = async (callId: string, costUsd: number) => {
    const effect = () => {
      world.stores.embedding.noteBill?.(callId, costUsd);
      world.services.excesses.delete(callId);
    };
    try {
      await callPort(world, current(), 'noteBill', 'database', effect);
    } catch (failure) {
      noteUntold(world, callId);
      throw failure;
    }
  };
  return Object.assign(port, { noteBill });
}

function limitsOf({ shape }: World): ReturnType<EmbedPorts['providers']>['limits'] {
  return {
    maxTextsPerCall: shape.maxTextsPerCall,
    maxTokensPerCall: 1_000_000,
    maxBytesPerCall: 10_000_000,
    tokenization: 'local',
  };
}

/** One per process and model, as the wiring makes them: what a process learns of a provider it keeps. */
function createProvider(
  world: World,
  current: () => Invocation,
  alias: string,
): ReturnType<EmbedPorts['providers']> {
  return {
    limits: limitsOf(world),
    embed: request => {
      const invocation = current();
      const callId = invocation.grantedCallId;
      const answer = callPort(world, invocation, `embed ${alias}`, 'provider', () => {
        const granted = world.twin.grants.get(invocation.grantedCallId ?? '');
        return answerCall(world, invocation, granted?.spaceId ?? 0, request);
      });
      if (world.billFactor === undefined) return answer;
      return answer.catch(failure => {
        noteUntold(world, callId);
        throw failure;
      });
    },
  };
}

const UNCLASSIFIED_EVENTS: readonly string[] = ['record-failed', 'space-failed', 'provider-failure-unknown'];

function createWatchedLogger(world: World, current: () => Invocation): Logger {
  const watch = (event: string, fields: LogFields = {}) => {
    for (const value of Object.values(fields)) {
      if (typeof value === 'string' && value.includes(CANARY))
        world.violate('no-text-outside', `log ${event}`);
    }
    if (UNCLASSIFIED_EVENTS.includes(event) && fields.code === 'unexpected') {
      world.violate('no-surprise', `${event}: an error that nobody classified`);
    }
    noteTold(current(), event, fields);
    world.trace.event(`log ${event}`, 0, () => JSON.stringify(fields));
  };
  return { info: watch, warn: watch, error: watch };
}
