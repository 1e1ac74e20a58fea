import { FreshetError } from '../../core/errors/freshet-error.ts';
import type { GuardRequest } from './guard-ports.ts';

const REASON = /^[a-z][a-z0-9_:-]{0,63}$/;

/**
 * Parses what a schedule, an alarm or an operator sends to `guard`.
 * An empty request is the schedule's. An alarm of CloudWatch says nothing but that it is time to
 * look. A pause that was mistyped must not look like a pause that holds.
 * @throws FreshetError with code `bad_request`.
 */
export function parseGuardRequest(event: unknown, aliases: readonly string[]): GuardRequest {
  const given = event ?? {};
  if (typeof given !== 'object') throw badRequest('is no object');
  if (Object.keys(given).length === 0) return { action: 'check' };
  const { action, scope, reason, source, ...others } = given as Record<string, unknown>;
  if (source === 'aws.cloudwatch' && action === undefined) return { action: 'check' };
  if (source !== undefined || Object.keys(others).length > 0) throw badRequest('has a key that is not known');
  if (action === 'check') {
    if (scope === undefined && reason === undefined) return { action };
    throw badRequest('has scope or reason, which belong to pause and resume');
  }
  if (action !== 'pause' && action !== 'resume') throw badRequest('has no known action');
  if (typeof scope !== 'string' || !isScope(scope, aliases)) throw badRequest('has no known scope');
  if (typeof reason !== 'string' || !REASON.test(reason)) throw badRequest('has no valid reason');
  return { action, scope, reason };
}

function isScope(scope: string, aliases: readonly string[]): boolean {
  return (
    scope === 'pipeline' ||
    /^source:.{1,63}$/.test(scope) ||
    aliases.some(alias => scope === `model:${alias}`)
  );
}

function badRequest(what: string): FreshetError {
  return new FreshetError(
    `The request ${what}. guard takes { "action": "check" } or { "action": "pause" | "resume", "scope": "pipeline" | "model:<alias>" | "source:<name>", "reason": "operator" }.`,
    { failureClass: 'unknown', code: 'bad_request' },
  );
}
