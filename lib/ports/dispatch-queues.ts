import type { Lane } from '../core/model/vocabulary.ts';
import type { MessageQueue } from './message-queue.ts';

/**
 * Finds the queue of a model alias and a lane; every alias has two queues.
 * Callers name only aliases of the configuration. The deployed pipeline refuses other aliases.
 * @throws FreshetError for an alias without queues.
 */
export type DispatchQueues = (modelAlias: string, lane: Lane) => MessageQueue;
