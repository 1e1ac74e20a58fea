import type { LeasedRow } from '../../../ports/detection-store.ts';

/**
 * A line of a leasing statement.
 * A statement that also reports what the limit left out always has a line, which holds nulls where
 * nothing was leased.
 */
export interface LeasedLine {
  readonly id: string | null;
  readonly attempts: number | null;
  readonly version: string | null;
}

export function leasedRows(lines: readonly LeasedLine[]): LeasedRow[] {
  return lines.flatMap(({ id, attempts, version }) =>
    id === null ? [] : [{ id, attempts: attempts ?? 0, version }],
  );
}
