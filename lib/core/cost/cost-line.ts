/** One priced line of a cost table. */
export interface CostLine {
  readonly service: string;
  /** What was counted, and how the count was priced. */
  readonly how: string;
  readonly usd: number;
}

export function totalOf(lines: readonly CostLine[]): number {
  return lines.reduce((sum, { usd }) => sum + usd, 0);
}

/** Bytes in a gigabyte as AWS bills it. */
export const GB = 1e9;
