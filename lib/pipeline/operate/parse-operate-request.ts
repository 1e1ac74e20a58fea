import { isInstant } from '../../core/report/is-instant.ts';
import { PAUSE_DETAIL } from '../../core/report/pause-detail.ts';
import type { OperateName, OperateRequest } from '../../ports/operator.ts';
import { badRequest } from './bad-request.ts';

type Check = (value: unknown) => boolean;

const isText: Check = value => typeof value === 'string' && value.length > 0 && value.length <= 512;
const optional =
  (check: Check): Check =>
  value =>
    value === undefined || check(value);
const countUpTo =
  (most: number): Check =>
  value =>
    Number.isSafeInteger(value) && Number(value) >= 1 && Number(value) <= most;
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isCursor: Check = value =>
  value === null ||
  (isObject(value) &&
    Number.isSafeInteger(value.spaceId) &&
    (value.after === null || typeof value.after === 'string'));
const isDeadLetterSource: Check = value =>
  value === 'results' ||
  (isObject(value) && isText(value.model) && (value.lane === 'fresh' || value.lane === 'bulk'));

const selection = {
  source: optional(isText),
  model: optional(isText),
  olderThan: optional(isInstant),
} as const;

/** Bounds keep one request within the time that an invocation has. */
const checks: Readonly<Record<OperateName, Readonly<Record<string, Check>>>> = {
  status: {},
  failures: { exampleLimit: countUpTo(1000) },
  pause: { scope: isText, detail: value => typeof value === 'string' && PAUSE_DETAIL.test(value) },
  resume: { scope: isText },
  'plan-reset': selection,
  reset: { ...selection, cursor: isCursor, limit: countUpTo(50_000) },
  retry: {
    source: optional(isText),
    cause: optional(isText),
    itemId: optional(isText),
    limit: countUpTo(50_000),
  },
  backfill: { source: optional(isText), model: optional(isText) },
  redrive: {
    queue: isDeadLetterSource,
    source: optional(isText),
    cause: optional(isText),
    limit: countUpTo(1000),
  },
};

/** Throws `FreshetError` `bad_request` that names the key at fault and what there is to ask. */
export function parseOperateRequest(event: unknown): OperateRequest {
  const { request, ...details } = isObject(event) ? event : {};
  if (typeof request !== 'string' || !Object.hasOwn(checks, request))
    throw badRequest(
      `There is no such request; operate takes { "request": ${Object.keys(checks)
        .map(name => `"${name}"`)
        .join(' | ')}, … }.`,
    );
  const known = checks[request as OperateName];
  for (const key of Object.keys(details)) {
    if (!Object.hasOwn(known, key))
      throw badRequest(
        `The request "${request}" does not take that key; it takes ${Object.keys(known).join(', ') || 'none'}.`,
      );
  }
  for (const [key, isValid] of Object.entries(known)) {
    if (!isValid(details[key])) throw badRequest(`The request "${request}" has no valid "${key}".`);
  }
  return event as OperateRequest;
}
