import { PAUSE_DETAIL } from '../../core/control.ts';
import { isLane } from '../../core/model.ts';
import { isInstant } from '../../core/outcomes.ts';
import type { OperateExchanges, OperateName } from '../../ports/operator.ts';
import type { OperatePorts } from './operate-ports.ts';
import { redriveDeadLetters } from './redrive.ts';
import {
  badRequest,
  listFailures,
  pauseScope,
  planResets,
  quoteNextSpace,
  reportStatus,
  resetBatch,
  restartReconcile,
  resumeScope,
  retryBatch,
} from './requests.ts';

/** Whether the value of a request's key can be worked with. */
export type KeyCheck = (value: unknown) => boolean;

/** Texts of a request are names, causes and ids: at most 512 characters. */
export const isText: KeyCheck = value => typeof value === 'string' && value.length > 0 && value.length <= 512;

export const optional =
  (check: KeyCheck): KeyCheck =>
  value =>
    value === undefined || check(value);

/** A whole number from 1 to `most`, which keeps a request within the time of an invocation. */
export const countUpTo =
  (most: number): KeyCheck =>
  value =>
    Number.isSafeInteger(value) && Number(value) >= 1 && Number(value) <= most;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isCursor: KeyCheck = value =>
  value === null ||
  (isObject(value) &&
    Number.isSafeInteger(value.spaceId) &&
    (value.after === null || typeof value.after === 'string'));

const isDeadLetterSource: KeyCheck = value =>
  value === 'results' || (isObject(value) && isText(value.model) && isLane(value.lane));

const selection = {
  source: optional(isText),
  model: optional(isText),
  olderThan: optional(isInstant),
} as const;

interface OperateRequestDefinition<Name extends OperateName> {
  /** What the request takes beside its name. */
  readonly keys: Readonly<Record<keyof OperateExchanges[Name]['request'], KeyCheck>>;
  /** Whether it changes schema `freshet`, so that a role that only reads is refused beforehand. */
  readonly writes: boolean;
  answer(
    ports: OperatePorts,
    request: OperateExchanges[Name]['request'],
    remainingMs: () => number,
  ): Promise<OperateExchanges[Name]['answer']>;
}

/** The requests of `OperateExchanges`: this table alone answers them, wherever asked. */
const definitions: { readonly [Name in OperateName]: OperateRequestDefinition<Name> } = {
  status: { keys: {}, writes: false, answer: reportStatus },
  failures: { keys: { exampleLimit: countUpTo(1000) }, writes: false, answer: listFailures },
  pause: {
    keys: { scope: isText, detail: value => typeof value === 'string' && PAUSE_DETAIL.test(value) },
    writes: true,
    answer: pauseScope,
  },
  resume: { keys: { scope: isText }, writes: true, answer: resumeScope },
  'plan-reset': { keys: selection, writes: false, answer: planResets },
  reset: {
    keys: { ...selection, cursor: isCursor, limit: countUpTo(50_000) },
    writes: true,
    answer: resetBatch,
  },
  retry: {
    keys: {
      source: optional(isText),
      cause: optional(isText),
      itemId: optional(isText),
      limit: countUpTo(50_000),
    },
    writes: true,
    answer: retryBatch,
  },
  backfill: {
    keys: { source: optional(isText), model: optional(isText) },
    writes: true,
    answer: restartReconcile,
  },
  'quote-space': {
    keys: {
      source: optional(isText),
      spaceId: value => value === null || Number.isSafeInteger(value),
    },
    writes: false,
    answer: quoteNextSpace,
  },
  redrive: {
    keys: {
      queue: isDeadLetterSource,
      source: optional(isText),
      cause: optional(isText),
      limit: countUpTo(1000),
    },
    writes: true,
    answer: (ports, request, remainingMs) => {
      if (ports.redrive === undefined)
        throw badRequest('A run on one machine has no dead-letter queues: its rows are stale again.');
      return redriveDeadLetters({ ...ports, redrive: ports.redrive }, request, remainingMs);
    },
  },
};

export function isOperateName(name: string): name is OperateName {
  return Object.hasOwn(definitions, name);
}

/** Whether the request changes schema `freshet`. */
export function changesSchema(name: OperateName): boolean {
  return definitions[name].writes;
}

/**
 * Answers one request, `{ "request": <name>, …keys }`, as `OperateExchanges` says.
 * Every request may be repeated.
 * @param remainingMs what is left of the time that the answer may take
 * @throws FreshetError `bad_request` that names the key at fault and what there is to ask
 */
export async function answerOperator(
  ports: OperatePorts,
  event: unknown,
  remainingMs: () => number,
): Promise<object> {
  const { request: name, ...details } = isObject(event) ? event : {};
  if (typeof name !== 'string' || !isOperateName(name))
    throw badRequest(
      `There is no such request; operate takes { "request": ${Object.keys(definitions)
        .map(known => `"${known}"`)
        .join(' | ')}, … }.`,
    );
  const { keys, answer } = definitions[name];
  requireKeys(name, details, keys);
  // TypeScript cannot see that keys and answer belong to one name.
  return (answer as OperateRequestDefinition<never>['answer'])(ports, details as never, remainingMs);
}

/**
 * Checks what a request brings beside its name.
 * @throws FreshetError `bad_request` for a key that the request does not take, and for a value that
 * its check refuses
 */
export function requireKeys(
  name: string,
  details: Readonly<Record<string, unknown>>,
  keys: Readonly<Record<string, KeyCheck>>,
): void {
  for (const key of Object.keys(details)) {
    if (!Object.hasOwn(keys, key))
      throw badRequest(
        `The request "${name}" does not take that key; it takes ${Object.keys(keys).join(', ') || 'none'}.`,
      );
  }
  for (const [key, isValid] of Object.entries(keys)) {
    if (!isValid(details[key])) throw badRequest(`The request "${name}" has no valid "${key}".`);
  }
}
