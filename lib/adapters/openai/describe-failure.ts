import type { ProviderSignal } from '../../core/errors/provider-signal.ts';
import { describeAnswer } from '../network/describe-answer.ts';
import { findNetworkCode } from '../network/find-network-code.ts';

/**
 * Codes and numbers of an error of the `openai` package or of what it called. The error itself must not travel on: message, body and stack can
 * hold the customer's text or a piece of the key.
 */
export function describeFailure(error: unknown, nowMs: number): ProviderSignal {
  const { status, headers, code, type, param } = Object(error) as Record<string, unknown>;
  if (typeof status === 'number') {
    const readable = headers instanceof Headers ? headers : new Headers();
    return describeAnswer(
      { status, headers: readable, body: { error: { code, type, param } } },
      'openai',
      nowMs,
    );
  }
  if (nameOf(error) === 'APIConnectionTimeoutError') return { timedOut: true };
  const networkCode = findNetworkCode(error);
  if (networkCode !== undefined) return { networkCode };
  return nameOf(error) === 'APIConnectionError' || error instanceof TypeError
    ? { networkCode: 'UNKNOWN' }
    : {};
}

/** The package's errors all carry the name `Error`; their class has the one that tells. */
function nameOf(error: unknown): string | undefined {
  return error instanceof Error ? error.constructor.name : undefined;
}
