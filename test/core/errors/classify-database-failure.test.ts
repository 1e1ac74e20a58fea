import { describe, expect, it } from 'vitest';
import { classifyDatabaseFailure } from '../../../lib/core/failures.ts';

describe('classifyDatabaseFailure', () => {
  // Faults 115 and 116.
  it.each([
    [
      'transient',
      [
        '40001',
        '40P01',
        '57P01',
        '57P02',
        '57P03',
        '08000',
        '08003',
        '08006',
        '08P01',
        '53300',
        '57014',
        '55P03',
      ],
    ],
    ['stop', ['42501', '53100', '25006', '42P01', '42703', '28000', '28P01']],
    ['item', ['22000', '22021', '22P02', '23502', '23503', '23505', '23514']],
    ['unknown', ['21000', '42601', 'XX000', '58030', '3D000', '57P04']],
  ])('takes as %s: %o', (failureClass, states) => {
    for (const sqlState of states) {
      expect(classifyDatabaseFailure({ sqlState })).toMatchObject({
        failureClass,
        code: `sqlstate_${sqlState}`,
      });
    }
  });

  it('takes a broken connection as transient and a foreign certificate as stop', () => {
    expect(classifyDatabaseFailure({ networkCode: 'ECONNREFUSED' })).toMatchObject({
      failureClass: 'transient',
      code: 'network_econnrefused',
    });
    expect(classifyDatabaseFailure({ networkCode: 'SELF_SIGNED_CERT_IN_CHAIN' }).failureClass).toBe('stop');
  });

  it('lets the SQLSTATE decide where both are known', () => {
    expect(classifyDatabaseFailure({ sqlState: '42501', networkCode: 'ECONNRESET' }).failureClass).toBe(
      'stop',
    );
  });

  it('knows nothing of what it was not told, and does not repeat it', () => {
    for (const signal of [{}, { sqlState: 'canary' }, { networkCode: 'canary text' }, { sqlState: '' }]) {
      const error = classifyDatabaseFailure(signal);

      expect(error).toMatchObject({ failureClass: 'unknown', code: 'database_unclassified' });
      expect(error.message).not.toContain('canary');
    }
  });
});
