import { formatDuration } from './format-numbers.ts';

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

/** Bytes, rate since it was first asked, and time left. */
export function createByteMeter(now: () => number): (bytes: number, ofBytes: number) => string {
  let startedAt: number | undefined;
  return (bytes, ofBytes) => {
    startedAt ??= now();
    const elapsedMs = now() - startedAt;
    const perSecond = elapsedMs > 0 ? (bytes * 1000) / elapsedMs : 0;
    const left = perSecond > 0 ? formatDuration(((ofBytes - bytes) * 1000) / perSecond) : '–';
    return `${formatBytes(bytes)} of ${formatBytes(ofBytes)} · ${formatBytes(perSecond)}/s · ETA ${left}`;
  };
}
