import { FreshetError } from '../errors.ts';
import type { FailureClass } from '../model.ts';
import { isTlsFailure } from './aws.ts';

/**
 * Failure classes by SQLSTATE; the first match counts.
 * A lost reply (08xxx, 57P0x) counts as a failure, because every write can be repeated.
 */
const CLASSES: readonly (readonly [RegExp, FailureClass])[] = [
  // Serialisation failure, deadlock, completion unknown; connection lost, server shutting down or
  // starting, session idle for too long; too many clients; timeouts.
  [/^(40001|40003|40P01|08...|57P0[1235]|53300|57014|55P03)$/, 'transient'],
  // Missing privilege, disk full, read-only, table or column gone, password or role refused.
  [/^(42501|53100|25006|42P01|42703|28...)$/, 'stop'],
  // Values of one row that the database refuses.
  [/^(22...|23...)$/, 'item'],
];

const ACTION: Readonly<Record<FailureClass, string>> = {
  throttled: 'it is tried again',
  transient: 'it is tried again',
  'too-large': 'it is split',
  item: 'a value of one row was refused',
  stop: 'nothing can be written until this is mended',
  unknown: 'the cause is not known',
};

/**
 * Turns a database failure into a `FreshetError` with a class and a code.
 * The SQLSTATE decides, or Node's error code where the connection broke. The database's own message
 * is not kept: it can quote a row.
 */
export function classifyDatabaseFailure(signal: {
  readonly sqlState?: string | undefined;
  readonly networkCode?: string | undefined;
}): FreshetError {
  const { failureClass, code } = classify(signal.sqlState, signal.networkCode);
  return new FreshetError(`The database refused a statement (${code}): ${ACTION[failureClass]}.`, {
    failureClass,
    code,
  });
}

function classify(
  sqlState: string | undefined,
  networkCode: string | undefined,
): { failureClass: FailureClass; code: string } {
  if (sqlState !== undefined && /^[0-9A-Z]{5}$/.test(sqlState)) {
    const row = CLASSES.find(([pattern]) => pattern.test(sqlState));
    return { failureClass: row?.[1] ?? 'unknown', code: `sqlstate_${sqlState}` };
  }
  if (networkCode !== undefined && /^[A-Z][A-Z0-9_]{1,49}$/.test(networkCode)) {
    return {
      failureClass: isTlsFailure(networkCode) ? 'stop' : 'transient',
      code: `network_${networkCode.toLowerCase()}`,
    };
  }
  return { failureClass: 'unknown', code: 'database_unclassified' };
}
