import { FreshetError, UsageError } from '../../core/errors.ts';
import type { DetectMode, DetectPorts, DetectRequest } from './detect-ports.ts';

/**
 * Parses the input of a schedule or an invocation of `detect`.
 * A schedule whose input was mistyped must not look like a schedule that finds nothing.
 * @throws FreshetError with code `bad_request`.
 */
export function parseDetectRequest(event: unknown): DetectRequest {
  const { pass, sources, maxRows, maxAttempts, expiredOnly, resume, nudged, mode, ...others } = (event ??
    {}) as Record<string, unknown>;
  const validSources =
    sources === undefined || (Array.isArray(sources) && sources.every(name => typeof name === 'string'));
  const isCount = (value: unknown) =>
    value === undefined || (Number.isSafeInteger(value) && Number(value) >= 0);
  const validRows = isCount(maxRows) && isCount(maxAttempts);
  const validResume = resume === undefined || (typeof resume === 'boolean' && pass === 'reconcile');
  const validNudge = nudged === undefined || (typeof nudged === 'boolean' && pass === 'incremental');
  const validExpired =
    expiredOnly === undefined || (typeof expiredOnly === 'boolean' && pass === 'incremental');
  const validMode = mode === undefined || typeof mode === 'string';
  const validPass = pass === 'incremental' || pass === 'reconcile';
  const isValid =
    validPass && validSources && validRows && validResume && validNudge && validExpired && validMode;
  if (isValid && Object.keys(others).length === 0) {
    return {
      pass,
      sources: sources as string[] | undefined,
      maxRows: maxRows as number | undefined,
      maxAttempts: maxAttempts as number | undefined,
      expiredOnly: expiredOnly as boolean | undefined,
      resume: resume as boolean | undefined,
      nudged: nudged as boolean | undefined,
      mode: mode as string | undefined,
    };
  }
  throw new FreshetError(
    'detect takes { "pass": "incremental" | "reconcile", "resume"?: boolean (with reconcile), ' +
      '"nudged"?: boolean, "expiredOnly"?: boolean (both with incremental), ' +
      '"sources"?: [names], "maxRows"?: number, "maxAttempts"?: number, "mode"?: name }; ' +
      'correct the schedule’s input.',
    { failureClass: 'unknown', code: 'bad_request' },
  );
}

/**
 * Lets a tick work by the mode that its schedule names: batches of its size, and no more rows than
 * a run of it takes. The rest of a mode is for a run on one machine.
 * @throws FreshetError with code `bad_request` where there is no such mode.
 */
export function applyMode(
  ports: DetectPorts,
  request: DetectRequest,
): { readonly ports: DetectPorts; readonly request: DetectRequest } {
  if (request.mode === undefined) return { ports, request };
  const { batchSize = ports.limits.batchSize, maxItems } = chooseMode(ports, request.mode);
  const maxRows = Math.min(maxItems ?? Number.POSITIVE_INFINITY, request.maxRows ?? Number.POSITIVE_INFINITY);
  return {
    ports: { ...ports, limits: { ...ports.limits, batchSize } },
    request: { ...request, ...(Number.isFinite(maxRows) && { maxRows }) },
  };
}

function chooseMode({ findMode }: DetectPorts, name: string): DetectMode {
  try {
    return findMode?.(name) ?? {};
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new FreshetError(`${error.message} ${error.remedy ?? ''} Correct the schedule’s input.`, {
      failureClass: 'unknown',
      code: 'bad_request',
    });
  }
}
