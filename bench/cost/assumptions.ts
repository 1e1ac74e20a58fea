import { CLAIM_RETENTION_DAYS } from '../../lib/constructs/function-settings.ts';
import type { PlumbingAssumptions } from './price-month.ts';

/** What cannot be counted without an account: each is named where it is used. */
export const ASSUMPTIONS: PlumbingAssumptions = {
  providerMs: 500,
  tracedShare: 0.05,
  claimRetentionDays: CLAIM_RETENTION_DAYS,
  platformLogBytes: 700,
};
