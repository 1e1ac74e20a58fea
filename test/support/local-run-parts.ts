import { createHandler as createDetect } from '../../functions/detect/handler.ts';
import { createHandler as createEmbed } from '../../functions/embed/handler.ts';
import { createHandler as createWrite } from '../../functions/write/handler.ts';
import type { LocalRunLimits, LocalRunParts } from '../../lib/pipeline/local/local-run-parts.ts';
import type { World } from '../factories/world.ts';

/** What a local run needs, all of it from a world of doubles. */
export function toLocalRunParts(
  world: World,
  limits: Partial<LocalRunLimits> = {},
  more: Partial<LocalRunParts> = {},
): LocalRunParts {
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
