import type { Space } from '../core/model/space.ts';

/** Makes stored outcomes stale, so that they are embedded again. Nothing is deleted: search goes on with the old vectors. */
export interface ResetStore {
  /** What a reset of the whole selection would touch. Reads the whole vector table: for people. */
  plan(space: Space, selection: ResetSelection): Promise<ResetPlan>;
  /**
   * One batch in the order of the key: the rows lose their version and their hash, so that neither a touch nor a copy brings the old vector back.
   * Rows that failed are left to `retry`. `cursor` null: nothing is left behind this batch.
   */
  reset(
    space: Space,
    selection: ResetSelection,
    batch: { readonly after: string | null; readonly limit: number },
  ): Promise<{ readonly rows: number; readonly cursor: string | null }>;
}

export interface ResetSelection {
  /** ISO 8601; only outcomes made before. Undefined: all. */
  readonly olderThan?: string | undefined;
}

export interface ResetPlan {
  readonly rows: number;
  /** Different texts among them whose vector no other row keeps: what must be bought. */
  readonly texts: number;
  /** As they were counted when they were bought; estimated from the length where that is not known. */
  readonly tokens: number;
}
