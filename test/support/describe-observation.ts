import type { FailureClass } from '../../lib/core/model/vocabulary.ts';
import type { Observation } from './observe-behaviour.ts';

const ENDINGS: Readonly<Record<FailureClass, string>> = {
  throttled: 'waits in the queue',
  transient: 'goes back to the queue',
  'too-large': 'goes back to the queue',
  item: 'goes back to the queue',
  stop: 'the model is paused',
  unknown: 'goes back to the queue, with an alarm',
};

/** Class, code and what became of the three texts: one line of the table. */
export function describeObservation({ failure, purchase, calls }: Observation): string {
  const what = failure ? `${failure.failureClass} | \`${nameCode(failure.code)}\`` : 'none | ';
  return `${what} | ${describePurchase(purchase, failure?.code)} | ${calls}`;
}

function describePurchase(
  { results, ended }: Observation['purchase'],
  firstCode: string | undefined,
): string {
  const nameOther = (code: string | undefined) =>
    code === undefined || code === firstCode ? '' : ` (\`${nameCode(code)}\`)`;
  const kinds = [...results.values()].map(result => (result.kind === 'vector' ? 'embedded' : result.kind));
  const refusedCode = [...results.values()].find(result => result.kind === 'refused')?.code;
  const parts = ['embedded', 'refused', 'too-long']
    .map(kind => [kinds.filter(found => found === kind).length, kind] as const)
    .filter(([count]) => count > 0)
    .map(
      ([count, kind]) =>
        (count === 3 ? `all ${kind}` : `${count} ${kind}`) +
        (kind === 'refused' ? nameOther(refusedCode) : ''),
    );
  if (ended) {
    const wait = ended.retryAfterMs === undefined ? '' : ` for ${ended.retryAfterMs / 1000} s`;
    parts.push(
      `${ENDINGS[ended.failureClass]}${ended.failureClass === 'throttled' ? wait : ''}${nameOther(ended.code)}`,
    );
  }
  return parts.join(', ');
}

/** Which of several codes a broken connection ends with depends on timing. */
function nameCode(code: string): string {
  return code.startsWith('network_') ? 'network_…' : code;
}
