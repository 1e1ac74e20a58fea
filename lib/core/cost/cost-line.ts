export interface CostLine {
  readonly service: string;
  /** What was counted, and how it was priced. */
  readonly how: string;
  readonly usd: number;
}

export function totalOf(lines: readonly CostLine[]): number {
  return lines.reduce((sum, { usd }) => sum + usd, 0);
}

export const GB = 1e9;
