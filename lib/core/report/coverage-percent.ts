/**
 * Coverage in percent, fresh / (eligible − excluded), floored to two decimals.
 * It is 100 only when complete, and when there is nothing to embed. The arguments are whole numbers
 * of rows.
 */
export function coveragePercent(fresh: number, eligible: number, excluded: number): number {
  const wanted = eligible - excluded;
  if (fresh >= wanted) return 100;
  // The quotient is computed in integers: near 10¹² rows a quotient of doubles rounds up to 1.
  return Number((BigInt(fresh) * 10_000n) / BigInt(wanted)) / 100;
}
