import type { Lane } from '../model.ts';

/** Characters that the names of queues and outputs of a stage keep of an alias. */
export function plainAlias(alias: string): string {
  return alias.replaceAll(/[^A-Za-z0-9]/g, '');
}

/**
 * The most characters of a plain alias.
 * A queue's name has 80 at most: `freshet-`, the stage (20), eight digits, the lane, and dashes.
 */
export const MAX_PLAIN_ALIAS = 36;

/** The end of the name of a model's queue, behind the beginning that all queues of a stage have. */
export function nameOfLane(alias: string, lane: Lane): string {
  return `${plainAlias(alias)}-${lane}`;
}

/** The end of the name of the queue of results. */
export const RESULTS_NAME = 'results';

/** The URLs of a stage's queues. */
export interface QueueUrls {
  /** Model alias → URL of its queue for each lane. */
  readonly queues: Readonly<Record<string, Readonly<Record<Lane, string>>>>;
  readonly resultsQueueUrl: string;
}

/** Composes the URLs of a stage's queues from the beginning that they share. */
export function composeQueueUrls(urlPrefix: string, aliases: readonly string[]): QueueUrls {
  const urlOf = (alias: string, lane: Lane) => `${urlPrefix}-${nameOfLane(alias, lane)}`;
  return {
    queues: Object.fromEntries(
      aliases.map(alias => [alias, { fresh: urlOf(alias, 'fresh'), bulk: urlOf(alias, 'bulk') }]),
    ),
    resultsQueueUrl: `${urlPrefix}-${RESULTS_NAME}`,
  };
}
