import type { Code } from 'aws-cdk-lib/aws-lambda';
import type { DeployedName, FunctionName } from '../core/config/deployment-settings.ts';

export { MAX_RECEIVE_COUNT } from '../core/messages.ts';
export { LANES } from '../core/model.ts';

export type { FunctionName };

export const FUNCTION_NAMES: readonly FunctionName[] = [
  'detect',
  'embed',
  'write',
  'guard',
  'migrate',
  'operate',
];

/**
 * Every handler that is bundled.
 * `api` exists only where clients are served, `notify` only where alarms go to a webhook. `sample`
 * belongs to the example database alone.
 */
export type HandlerName = DeployedName | 'sample' | 'notify';

interface FunctionSettings {
  readonly memoryMb: number;
  readonly timeoutSeconds: number;
  readonly description: string;
}

/**
 * Memory and timeout of each function.
 * Memory also buys CPU: a whole core at 1,769 MB. Vectors need little memory: a batch of
 * 100 × 1536 floats is 0.6 MB, `embed` holds one batch at a time and `write` at most ten.
 *
 * - `detect`: goes on for as long as there is work. It is half a minute shorter than the five
 *   minutes between two ticks: the scheduler starts ticks that much late, and a tick that finds the
 *   one before it at work does nothing.
 * - `embed`: a call of 60 s (`limits.timeoutSeconds`), one retry of the call, and the time to store
 *   and announce what was bought.
 * - `write`: ten objects of at most 5 s each, and the early end. Half a core, because `write`
 *   checks and copies every vector.
 * - `guard`: shorter than the minute between two ticks.
 * - `migrate`: creates tables only, but waits for locks on them.
 * - `operate`: answers a command of `freshet aws` in bounded pieces; the command waits 320 s for a
 *   piece.
 * - `api`: an API waits 29 seconds for an answer. A core and more, because a client waits.
 * - `sample`: fills one small table.
 * - `notify`: reads a secret and posts, each at most twice, within their own limits.
 */
export const FUNCTION_SETTINGS: Readonly<Record<HandlerName, FunctionSettings>> = {
  detect: {
    memoryMb: 512,
    timeoutSeconds: 270,
    description: 'finds stale rows, leases them and sends their ids',
  },
  embed: {
    memoryMb: 1024,
    timeoutSeconds: 120,
    description: 'reads texts, buys vectors, stores and announces them',
  },
  write: { memoryMb: 1024, timeoutSeconds: 60, description: 'writes announced results to the vector tables' },
  guard: {
    memoryMb: 512,
    timeoutSeconds: 50,
    description: 'pauses and resumes the queues, probes what stopped',
  },
  migrate: {
    memoryMb: 512,
    timeoutSeconds: 300,
    description: 'brings schema freshet to the deployed version',
  },
  operate: {
    memoryMb: 512,
    timeoutSeconds: 300,
    description: 'does what an operator asks with freshet aws',
  },
  api: { memoryMb: 1769, timeoutSeconds: 29, description: 'embeds and searches for clients' },
  sample: {
    memoryMb: 512,
    timeoutSeconds: 120,
    description: 'fills the example database and edits it on request',
  },
  notify: { memoryMb: 256, timeoutSeconds: 30, description: 'posts alarms to a Slack or Discord webhook' },
};

export const HANDLER_NAMES = Object.keys(FUNCTION_SETTINGS) as readonly HandlerName[];

interface ConsumerSettings {
  readonly batchSize: number;
  readonly windowSeconds: number;
}

/**
 * How `embed` and `write` take messages.
 * `embed` takes one message at a time: a message holds up to `limits.batchSize` rows already. If a
 * slow call left no time for a second message, the message would come back with a receive counted,
 * though nobody had tried to embed its rows. `write` is quick, and gathers messages for a second.
 */
export const CONSUMERS: Readonly<Record<'embed' | 'write', ConsumerSettings>> = {
  embed: { batchSize: 1, windowSeconds: 0 },
  write: { batchSize: 10, windowSeconds: 1 },
};

/**
 * Visibility timeout of a queue, in timeouts of its consumer.
 * The batching window comes on top. AWS asks for six timeouts. What Lambda throttles then comes
 * back before the message is delivered again.
 */
const VISIBILITY_PER_TIMEOUT = 6;

export function visibilitySeconds(consumer: 'embed' | 'write'): number {
  return (
    VISIBILITY_PER_TIMEOUT * FUNCTION_SETTINGS[consumer].timeoutSeconds + CONSUMERS[consumer].windowSeconds
  );
}

/** Bytes that Lambda accepts as the environment of a function, names included. */
export const ENVIRONMENT_BYTES = 4096;

/**
 * Where the functions' code comes from.
 * The code is bundled from sources, or lies in the folders of an installed package. Tests give
 * small code of their own.
 */
export interface FunctionAssets {
  codeOf(name: HandlerName): Code;
}
