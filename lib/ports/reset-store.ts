import type { Space } from '../core/model/space.ts';

/**
 * Makes stored outcomes stale, so that their rows are embedded again.
 * Nothing is deleted: search goes on with the old vectors.
 * @throws FreshetError from every method, classified from the SQLSTATE.
 */
export interface ResetStore {
  /**
   * What a reset of the whole selection would touch.
   * The method reads the whole vector table, so that only people call it.
   */
  plan(space: Space, selection: ResetSelection): Promise<ResetPlan>;
  /**
   * Resets one batch of at most `limit` rows after the key `after`, in the order of the key.
   * The rows lose their version and their hash, so that neither a touch nor a copy brings the old
   * vector back. Rows that failed are left to `retry`. `cursor` is the last key of the batch; null:
   * nothing is left behind this batch.
   */
  reset(
    space: Space,
    selection: ResetSelection,
    batch: { readonly after: string | null; readonly limit: number },
  ): Promise<{ readonly rows: number; readonly cursor: string | null }>;
}

export interface ResetSelection {
  /** ISO 8601. Only outcomes made before this time are chosen; undefined: all outcomes. */
  readonly olderThan?: string | undefined;
}

export interface ResetPlan {
  readonly rows: number;
  /**
   * Texts that must be bought.
   * Equal texts count once. A text whose vector a row outside the selection keeps does not count.
   */
  readonly texts: number;
  /**
   * Tokens of the texts that must be bought, as counted when they were bought before.
   * Where no count is stored, the number is estimated from the length of the text.
   */
  readonly tokens: number;
}
