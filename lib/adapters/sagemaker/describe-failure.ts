import type { ProviderSignal } from '../../core/errors/provider-signal.ts';
import { readErrorWords } from '../network/describe-answer.ts';
import { findNetworkCode } from '../network/find-network-code.ts';

/**
 * Codes and numbers of an error of the AWS SDK. The error itself must not travel on: its message and `OriginalMessage` are what the container
 * answered, and containers quote the text.
 */
export function describeFailure(error: unknown): ProviderSignal {
  const { name, message, $metadata, OriginalStatusCode, OriginalMessage } = Object(error) as Record<
    string,
    unknown
  >;
  const { httpStatusCode, requestId } = Object($metadata) as Record<string, unknown>;
  const shared = { requestId: readRequestId(requestId) };
  if (name === 'ModelError') {
    const status = typeof OriginalStatusCode === 'number' ? OriginalStatusCode : undefined;
    return { ...shared, dialect: 'tei', status, type: readErrorType(OriginalMessage) };
  }
  const refused = typeof httpStatusCode === 'number' && httpStatusCode >= 300;
  if (!refused) return { ...shared, ...describeBreak(name, error) };
  return {
    ...shared,
    exception: typeof name === 'string' ? name : undefined,
    about: findSubject(message),
    status: httpStatusCode,
  };
}

/** No answer, or half of one. The SDK calls a reset connection a timeout as well. */
function describeBreak(name: unknown, error: unknown): ProviderSignal {
  const networkCode = findNetworkCode(error);
  if (networkCode !== undefined && networkCode !== 'ETIMEDOUT') return { networkCode };
  if (name === 'TimeoutError') return { timedOut: true };
  return typeof name === 'string' && name.startsWith('Credentials')
    ? { exception: name }
    : { networkCode: networkCode ?? 'UNKNOWN' };
}

/** Of an AWS request: a UUID. It is logged, so nothing else passes. */
export function readRequestId(requestId: unknown): string | undefined {
  return typeof requestId === 'string' && /^[0-9a-f-]{16,64}$/i.test(requestId) ? requestId : undefined;
}

/** The few words that tell one ValidationError from another. */
function findSubject(message: unknown): ProviderSignal['about'] {
  if (typeof message !== 'string') return undefined;
  if (/\bno capacity\b|\bnot have capacity\b/i.test(message)) return 'no_capacity';
  if (/\bnot found\b|could not find/i.test(message)) return 'endpoint_not_found';
  if (/less than or equal to|too large|exceeds? the (limit|maximum)/i.test(message))
    return 'payload_too_large';
  return undefined;
}

/** TEI's `{"error", "error_type"}`, which SageMaker may have cut. */
function readErrorType(original: unknown): string | undefined {
  if (typeof original !== 'string') return undefined;
  try {
    return readErrorWords(JSON.parse(original)).type;
  } catch {
    return /"error_type"\s*:\s*"(\w{1,32})"/.exec(original)?.[1];
  }
}
