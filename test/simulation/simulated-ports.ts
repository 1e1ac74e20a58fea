import { createHash } from 'node:crypto';
import { FreshetError } from '../../lib/core/errors/freshet-error.ts';
import type { DetectPorts } from '../../lib/pipeline/detect/detect-ports.ts';
import type { EmbedPorts } from '../../lib/pipeline/embed/embed-ports.ts';
import type { GuardState } from '../../lib/pipeline/guard/guard-ports.ts';
import type { WritePorts } from '../../lib/pipeline/write/write-ports.ts';
import type { LogFields, Logger } from '../../lib/ports/logger.ts';
import type { MessageQueue } from '../../lib/ports/message-queue.ts';
import type { Metrics } from '../../lib/ports/metrics.ts';
import type { Synchronous } from '../twin/synchronous.ts';
import { commitSomeTransaction } from './application.ts';
import { callPort, sleep } from './call-port.ts';
import { checkGrant } from './check-purchases.ts';
import { scheduleDelivery } from './deliver.ts';
import type { Invocation } from './invocation.ts';
import { answerCall } from './simulated-provider.ts';
import { findByReceipt, MAX_RECEIVE_COUNT, type SimulatedQueue } from './simulated-queue.ts';
import { CANARY, isKiller } from './texts.ts';
import { START_MS, type World } from './world.ts';

/** The ports of one process; `current` is the invocation that it works on. */
export interface SimulatedPorts {
  readonly detect: DetectPorts;
  readonly embed: EmbedPorts;
  readonly write: WritePorts;
  /** What the guard's probe of the database needs. */
  readonly guard: {
    readonly logger: Logger;
    readonly metrics: Metrics;
    readonly state: Pick<GuardState, 'control' | 'probes' | 'requireWrites'>;
  };
}

const SILENT: Metrics = {
  count() {},
  duration() {},
  property() {},
  async flush() {},
};

export function createPorts(world: World, current: () => Invocation): SimulatedPorts {
  const { stores, shape } = world;
  const databasePort = <Port extends object>(methods: Synchronous<Port>): Port =>
    wrapMethods(world, current, methods);
  const queues = new Map(
    world.services.dispatch.map(({ alias, lane, queue }) => [
      `${alias}-${lane}`,
      createSender(world, current, queue),
    ]),
  );
  const shared = {
    spaces: databasePort(stores.registry),
    control: databasePort(stores.control),
    clock: {
      now: () => START_MS + world.scheduler.nowMs(),
      sleep: (ms: number) => sleep(world, current(), ms),
    },
    randomness: { fraction: world.random.fraction, identifier: world.newIdentifier },
    metrics: SILENT,
    logger: createWatchedLogger(world),
    runId: null,
    objects: createObjects(world, current),
    queues: (alias: string, lane: string) => queues.get(`${alias}-${lane}`) as MessageQueue,
  };
  const providers = new Map(
    world.spaces.map(({ model }) => [model.alias, createProvider(world, current, model.alias)] as const),
  );
  const receivesSeconds = shape.visibilitySeconds * MAX_RECEIVE_COUNT;
  return {
    detect: {
      ...shared,
      detection: databasePort(stores.detection),
      limits: {
        batchSize: shape.batchSize,
        maxInFlight: shape.maxInFlight,
        sliceRows: shape.sliceRows,
        queuedLeaseSeconds: receivesSeconds,
      },
    },
    embed: {
      ...shared,
      embedding: databasePort(watchEmbedding(world, current)),
      providers: alias => providers.get(alias) as ReturnType<EmbedPorts['providers']>,
      tokenizer: {
        count: async text => text.length,
        truncate: async text => ({ text, tokens: text.length }),
      },
      results: createSender(world, current, world.services.results),
      limits: {
        batchSize: shape.batchSize,
        callTimeoutMs: 30_000,
        maxReceiveCount: MAX_RECEIVE_COUNT,
        announcedLeaseSeconds: receivesSeconds,
        maxBytesPerColumn: 10_000,
      },
    },
    write: { ...shared, outcomes: databasePort(watchOutcomes(world)) },
    guard: {
      logger: shared.logger,
      metrics: SILENT,
      state: {
        control: shared.control,
        probes: databasePort(stores.probes),
        requireWrites: () =>
          callPort(world, current(), 'requireWrites', 'database', () => requireWritable(world)),
      },
    },
  };
}

/** Of `retry-transient.ts`. */
const TRIES = 3;
/** How often a commit of the application falls between just this statement and the one before it. */
const COMMITS_BEFORE_STATEMENT = 0.4;

function wrapMethods<Port extends object>(
  world: World,
  current: () => Invocation,
  methods: Synchronous<Port>,
): Port {
  const entries = Object.entries(methods as Record<string, (...args: unknown[]) => unknown>);
  return Object.fromEntries(
    entries.map(([name, method]) => [
      name,
      (...args: unknown[]) =>
        callPort(world, current(), name, 'database', () => {
          if (world.random.chance(COMMITS_BEFORE_STATEMENT)) commitSomeTransaction(world);
          return method(...args);
        }),
    ]),
  ) as Port;
}

/** The embedding store, with what the checks need to know of its calls. */
function watchEmbedding(world: World, current: () => Invocation): World['stores']['embedding'] {
  const { embedding } = world.stores;
  return {
    ...embedding,
    readRows: (space, ids, maxBytes) => {
      const readings = embedding.readRows(space, ids, maxBytes);
      if (readings.some(({ columns }) => columns.some(text => text !== null && isKiller(text)))) {
        current().poisoned = true;
      }
      return readings;
    },
    grantCall: (space, grant) => {
      const refusal = embedding.grantCall(space, grant);
      if (refusal) return refusal;
      checkGrant(world, current(), space.spaceId);
      current().grantedCallId = grant.callId;
      return undefined;
    },
  };
}

function requireWritable(world: World): void {
  if (!world.readOnly) return;
  world.hardFaults += 1;
  throw new FreshetError('simulated 25006', { failureClass: 'stop', code: 'sqlstate_25006' });
}

/** The outcome store of a database that takes no writes for a while. */
function watchOutcomes(world: World): World['stores']['outcomes'] {
  const { outcomes } = world.stores;
  return {
    ...outcomes,
    writeResult: (space, result) => {
      requireWritable(world);
      return outcomes.writeResult(space, result);
    },
    writeResults: (space, results) => {
      requireWritable(world);
      return outcomes.writeResults(space, results);
    },
  };
}

/** One per process and model, as the wiring makes them: what a process learns of a provider it keeps. */
function createProvider(
  world: World,
  current: () => Invocation,
  alias: string,
): ReturnType<EmbedPorts['providers']> {
  return {
    limits: {
      maxTextsPerCall: world.shape.maxTextsPerCall,
      maxTokensPerCall: 1_000_000,
      maxBytesPerCall: 10_000_000,
      tokenization: 'local',
    },
    embed: request => {
      const invocation = current();
      return callPort(world, invocation, `embed ${alias}`, 'provider', () => {
        const granted = world.twin.grants.get(invocation.grantedCallId ?? '');
        return answerCall(world, invocation, granted?.spaceId ?? 0, request);
      });
    },
  };
}

function createSender(world: World, current: () => Invocation, queue: SimulatedQueue): MessageQueue {
  return {
    send: messages =>
      callPort(world, current(), `send ${queue.name}`, 'queue', () => {
        const failed: { index: number; code: string }[] = [];
        for (const [index, { body }] of messages.entries()) {
          if (world.random.chance(world.faults.refusedSend)) {
            failed.push({ index, code: 'InternalError' });
            noteRefusal(world, body);
          } else acceptMessage(world, queue, body);
        }
        return { failed };
      }),
    changeVisibility: (receiptHandle, seconds) =>
      callPort(world, current(), `hide ${queue.name}`, 'queue', () => {
        const message = findByReceipt(queue, receiptHandle);
        if (message?.receiptHandle !== receiptHandle) return;
        message.visibleAtMs = world.scheduler.nowMs() + seconds * 1000;
        scheduleDelivery(world, queue, seconds * 1000);
      }),
  };
}

/** One refusal is tried again and costs nothing; what was refused three times is given up, and what it announced is lost. */
function noteRefusal(world: World, body: string): void {
  const { refusals } = world.services;
  const times = (refusals.get(body) ?? 0) + 1;
  refusals.set(body, times);
  if (times === TRIES) world.hardFaults += 1;
}

/** A message that the queue took: checked for what no message may do. */
export function acceptMessage(world: World, queue: SimulatedQueue, body: string, isGarbage = false): void {
  if (body.includes(CANARY)) world.violate('no-text-outside', `a message of ${queue.name}`);
  if (queue.consumer === 'write' && !isGarbage) {
    const { key, sha256 } = JSON.parse(body) as { key: string; sha256: string };
    const object = world.services.objects.get(key);
    if (!object || digest(object) !== sha256) world.violate('object-before-message', key);
  }
  const copies = world.random.chance(world.faults.duplicate) ? 2 : 1;
  if (copies === 2) world.hardFaults += 1;
  for (let copy = 0; copy < copies; copy += 1) {
    if (world.random.chance(world.faults.lostMessage)) {
      world.hardFaults += 1;
      continue;
    }
    const delayMs = copy === 0 ? world.random.below(2_000) : world.random.below(400_000);
    queue.messages.add({
      ...{ messageId: world.newIdentifier(), body, isGarbage, receiveCount: 0, receiptHandle: '' },
      visibleAtMs: world.scheduler.nowMs() + delayMs,
    });
    scheduleDelivery(world, queue, delayMs);
  }
}

function createObjects(world: World, current: () => Invocation): EmbedPorts['objects'] {
  const { objects } = world.services;
  return {
    put: (key, body) =>
      callPort(world, current(), 'put', 'object', () => {
        if (body.includes(CANARY)) world.violate('no-text-outside', 'an object');
        if (objects.has(key) && !objects.get(key)?.equals(body))
          world.violate('object-before-message', `${key} changes`);
        objects.set(key, body);
      }),
    get: key =>
      callPort(world, current(), 'get', 'object', () => {
        const { random, faults } = world;
        const body = objects.get(key);
        if (random.chance(faults.missingObject)) return lose(world, undefined);
        if (body && random.chance(faults.corruptObject)) return lose(world, corrupt(world, body));
        return body;
      }),
  };
}

/** Cut short, or another value somewhere among the vectors at its end. */
function corrupt({ random }: World, body: Buffer): Buffer {
  if (random.chance(0.5)) return body.subarray(0, body.length - 1);
  const changed = Buffer.from(body);
  const place = changed.length - 1 - random.below(4);
  changed.writeUInt8(changed.readUInt8(place) ^ 1, place);
  return changed;
}

function lose<Value>(world: World, value: Value): Value {
  world.hardFaults += 1;
  return value;
}

function digest(body: Buffer): string {
  return createHash('sha256').update(body).digest('hex');
}

const UNCLASSIFIED_EVENTS: readonly string[] = ['record-failed', 'space-failed', 'provider-failure-unknown'];

function createWatchedLogger(world: World): Logger {
  const watch = (event: string, fields: LogFields = {}) => {
    for (const value of Object.values(fields)) {
      if (typeof value === 'string' && value.includes(CANARY))
        world.violate('no-text-outside', `log ${event}`);
    }
    if (UNCLASSIFIED_EVENTS.includes(event) && fields.code === 'unexpected') {
      world.violate('no-surprise', `${event}: an error that nobody classified`);
    }
    world.trace.event(`log ${event}`, 0, () => JSON.stringify(fields));
  };
  return { info: watch, warn: watch, error: watch };
}
