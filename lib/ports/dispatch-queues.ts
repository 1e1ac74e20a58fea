import type { Lane } from '../core/model/vocabulary.ts';
import type { MessageQueue } from './message-queue.ts';

/** The two queues of each model alias. Rejects aliases that the configuration does not name. */
export type DispatchQueues = (modelAlias: string, lane: Lane) => MessageQueue;
