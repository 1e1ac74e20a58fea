import type { Check } from './check.ts';
import type { EmbedService } from './embed-service.ts';
import { Nonconformity } from './read-vectors.ts';
import { REFUSAL_CHECKS } from './refusal-checks.ts';
import { VECTOR_CHECKS } from './vector-checks.ts';

export interface CheckResult {
  readonly name: string;
  readonly result: 'passed' | 'failed' | 'skipped';
  /** What does not conform, or why it was skipped. */
  readonly detail: string;
}

export const CHECKS: readonly Check[] = [...VECTOR_CHECKS, ...REFUSAL_CHECKS];

/** One after the other: a service under test should not be measured by its limits. */
export async function runChecks(service: EmbedService): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  for (const check of CHECKS) results.push(await runCheck(check, service));
  return results;
}

async function runCheck(check: Check, service: EmbedService): Promise<CheckResult> {
  const skipped = check.skip?.(service);
  if (skipped !== undefined) return { name: check.name, result: 'skipped', detail: skipped };
  try {
    await check.run(service);
    return { name: check.name, result: 'passed', detail: '' };
  } catch (error) {
    return { name: check.name, result: 'failed', detail: describe(error) };
  }
}

function describe(error: unknown): string {
  if (error instanceof Nonconformity) return error.message;
  if (!(error instanceof Error)) return 'the call failed';
  if (error.name === 'TimeoutError') return 'no answer within the time';
  const { code } = Object(error.cause) as { readonly code?: unknown };
  return `the call failed (${typeof code === 'string' ? code : error.name})`;
}
