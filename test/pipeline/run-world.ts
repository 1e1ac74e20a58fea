import { createHandler as createDetect } from '../../functions/detect/handler.ts';
import { createHandler as createEmbed } from '../../functions/embed/handler.ts';
import { createHandler as createWrite } from '../../functions/write/handler.ts';
import {
  countDown,
  createLocalContext,
  invokeBatch,
  type LocalRunLimits,
  type LocalRunPorts,
} from '../../lib/local/run-ports.ts';
import { buyVectors, type Purchase } from '../../lib/pipeline/embed/buy-vectors.ts';
import type { EmbedPorts } from '../../lib/pipeline/embed/embed-ports.ts';
import { makeSpace } from '../factories/space.ts';
import type { World } from '../factories/world.ts';

const DETECT_EVERY_MS = 60_000;
const POLL_EVERY_MS = 2_000;
const INVOCATION_MS = 150_000;

/**
 * Runs the deployed pipeline on doubles for so many virtual minutes.
 *
 * Detection comes by the minute. Workers, spread over the processes, poll the queues whatever
 * lies in them, as SQS counts each delivery. A process that is a function is made anew for each
 * message, and remembers nothing. There is one writer. Unlike a local run, the fleet
 * never gives up.
 */
export async function driveFleet(
  world: World,
  minutes: number,
  embedWorkers = 10,
  processes: readonly (EmbedPorts | (() => EmbedPorts))[] = [world.embedPorts],
  pollEveryMs = POLL_EVERY_MS,
): Promise<void> {
  const { clock } = world;
  const endsAtMs = clock.now() + minutes * 60_000;
  const detect = createDetect(world.detectPorts);
  const embedders = processes.map(process => {
    if (typeof process === 'function') return () => createEmbed(process());
    const embed = createEmbed(process);
    return () => embed;
  });
  const write = createWrite(world.writePorts);
  const context = (name: string) => createLocalContext(name, countDown(clock, INVOCATION_MS));

  const repeat = async (pauseMs: number, turn: () => Promise<boolean>) => {
    while (clock.now() < endsAtMs) if (!(await turn())) await clock.sleep(pauseMs);
  };
  const detectTurn = async () => {
    await detect({ pass: 'incremental' }, context('detect'));
    await detect({ pass: 'reconcile' }, context('detect'));
    return false;
  };
  const embedTurn = async (embed: ReturnType<typeof createEmbed>) => {
    for (const { queue } of world.dispatch) {
      const messages = await queue.receive(1);
      if (messages.length === 0) continue;
      await invokeBatch(embed, queue, messages, context('embed'));
      return true;
    }
    return false;
  };
  const writeTurn = async () => {
    const messages = await world.results.receive(10);
    if (messages.length > 0) await invokeBatch(write, world.results, messages, context('write'));
    return messages.length > 0;
  };
  const workers = Array.from({ length: embedWorkers }, (_, index) =>
    repeat(pollEveryMs, () => embedTurn(embedders[index % embedders.length]!())),
  );
  await Promise.all([repeat(DETECT_EVERY_MS, detectTurn), repeat(POLL_EVERY_MS, writeTurn), ...workers]);
}

/** Takes everything that a local run needs from a world of doubles. */
export function toLocalRunPorts(
  world: World,
  limits: Partial<LocalRunLimits> = {},
  more: Partial<LocalRunPorts> = {},
): LocalRunPorts {
  return {
    handlers: {
      detect: createDetect(world.detectPorts),
      embed: createEmbed(world.embedPorts),
      write: createWrite(world.writePorts),
    },
    queues: { dispatch: world.dispatch, results: world.results, deadLetters: [world.deadLetters] },
    tally: world.tally,
    spaces: world.spaces,
    embedding: world.embedPorts.embedding,
    outcomes: world.writePorts.outcomes,
    control: world.control,
    clock: world.clock,
    limits: {
      ...{ batchSize: 100, maxInFlight: 10_000, concurrency: 2, pauseMs: 0 },
      ...{ invocationTimeoutMs: 600_000, maxWaitMs: 300_000 },
      ...limits,
    },
    ...more,
  };
}

/** Buys a batch of these texts, no two alike, as the embed step does. */
export function buyTexts(
  world: World,
  texts: readonly string[],
  redelivered = false,
  remainingMs = () => 600_000,
): Promise<Purchase> {
  const unique = texts.map(text => ({ text, contentHash: text, rows: [] }));
  return buyVectors(world.embedPorts, makeSpace(), 'bulk', unique, remainingMs, { redelivered });
}
