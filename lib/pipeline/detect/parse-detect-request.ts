import { FreshetError } from '../../core/errors/freshet-error.ts';
import type { DetectRequest } from './detect-ports.ts';

/**
 * Parses the input of a schedule or an invocation of `detect`.
 * A schedule whose input was mistyped must not look like a schedule that finds nothing.
 * @throws FreshetError with code `bad_request`.
 */
export function parseDetectRequest(event: unknown): DetectRequest {
  const { pass, sources, maxRows, resume, ...others } = (event ?? {}) as Record<string, unknown>;
  const validSources =
    sources === undefined || (Array.isArray(sources) && sources.every(name => typeof name === 'string'));
  const validRows = maxRows === undefined || (Number.isSafeInteger(maxRows) && Number(maxRows) >= 0);
  const validResume = resume === undefined || (typeof resume === 'boolean' && pass === 'reconcile');
  const validPass = pass === 'incremental' || pass === 'reconcile';
  if (validPass && validSources && validRows && validResume && Object.keys(others).length === 0) {
    return {
      pass,
      sources: sources as string[] | undefined,
      maxRows: maxRows as number | undefined,
      resume: resume as boolean | undefined,
    };
  }
  throw new FreshetError(
    'detect takes { "pass": "incremental" | "reconcile", "resume"?: boolean (with reconcile), "sources"?: [names], "maxRows"?: number }; correct the schedule’s input.',
    { failureClass: 'unknown', code: 'bad_request' },
  );
}
