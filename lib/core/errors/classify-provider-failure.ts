import type { FailureClass } from '../model/vocabulary.ts';
import { FreshetError } from './freshet-error.ts';
import { failureClassOf } from './provider-failures.ts';
import type { ProviderSignal } from './provider-signal.ts';
import { codeOfException, codeOfStatus, codeOfWord } from './provider-words.ts';

/** Parameters that we set from configuration: what is wrong with them is wrong with every text. */
const CONFIGURED_PARAMETERS = new Set([
  'dimensions',
  'model',
  'service_tier',
  'encoding_format',
  'normalize',
]);

/** An endpoint scaled to zero takes minutes to start: asking twice a minute costs nothing and finds it soon enough. */
const COLD_RETRY_MS = 45_000;

const ACTION: Readonly<Record<FailureClass, string>> = {
  throttled: 'it asked for patience',
  transient: 'it is tried again',
  'too-large': 'the batch is split',
  item: 'it refused a text',
  stop: 'the model is paused until this is mended',
  unknown: 'the cause is not known',
};

/**
 * For every adapter. The body's code first, then its type, then the SDK's exception, then what broke below HTTP, then the status. Anything else is
 * `unknown`: never acknowledged, alarmed.
 */
export function classifyProviderFailure(signal: ProviderSignal): FreshetError {
  const code = findCode(signal);
  const failureClass = heedRetryHint(failureClassOf(code) ?? 'unknown', signal);
  return new FreshetError(`The provider did not embed (${code}): ${ACTION[failureClass]}.`, {
    failureClass,
    code,
    retryAfterMs: signal.retryAfterMs ?? (code === 'cold' ? COLD_RETRY_MS : undefined),
    requestId: signal.requestId,
  });
}

function findCode(signal: ProviderSignal): string {
  const dialect = signal.dialect ?? 'openai';
  return (
    codeOfWord(signal.code, dialect) ??
    codeOfWord(signal.type, dialect) ??
    findException(signal) ??
    findTransportFault(signal) ??
    findStatus(signal) ??
    'unclassified'
  );
}

/** SageMaker says both that it has no capacity yet and that the request is wrong with the same exception. */
function findException({ exception, about }: ProviderSignal): string | undefined {
  const code = codeOfException(exception);
  if (code !== 'validation_error' || about === undefined) return code;
  return about === 'no_capacity' ? 'cold' : about;
}

function findTransportFault({ timedOut, networkCode }: ProviderSignal): string | undefined {
  if (timedOut) return 'timeout';
  if (networkCode === 'ERR_FORBIDDEN_ADDRESS') return 'forbidden_address';
  if (networkCode === undefined || !/^[A-Z][A-Z0-9_]{1,49}$/.test(networkCode)) return undefined;
  return `network_${networkCode.toLowerCase()}`;
}

function findStatus({ status, param, dialect = 'openai' }: ProviderSignal): string | undefined {
  if (status === undefined) return undefined;
  if (status >= 300 && status < 400) return 'redirect';
  const concernsParameter = status === 400 || status === 422;
  if (concernsParameter && param !== undefined && CONFIGURED_PARAMETERS.has(param))
    return `parameter_${param}`;
  return codeOfStatus(status, dialect);
}

/** The hint may turn what we do not know into another try; it never overrules what we know, least of all a spent quota. */
function heedRetryHint(failureClass: FailureClass, { shouldRetry }: ProviderSignal): FailureClass {
  return failureClass === 'unknown' && shouldRetry === true ? 'transient' : failureClass;
}
