export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

/** Four decimals: a run of a few thousand short texts costs a fraction of a cent. */
export function formatUsd(usd: number): string {
  return `$${usd.toFixed(usd >= 100 ? 2 : 4)}`;
}

export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function formatPercent(fraction: number): string {
  return `${(fraction * 100).toFixed(2)} %`;
}
