import { formatCount, formatDuration, formatUsd } from './format-numbers.ts';

export interface Progress {
  readonly items: number;
  readonly tokens: number;
  readonly costUsd: number;
}

const WINDOW_MS = 10_000;

/** Items, rate and time left. The rate is that of the last ten seconds, so that a pause shows. */
export function createProgressMeter(
  expectedItems: number,
  now: () => number,
): (progress: Progress) => string {
  const startedAt = now();
  const samples: { at: number; items: number }[] = [{ at: startedAt, items: 0 }];
  return progress => {
    const at = now();
    samples.push({ at, items: progress.items });
    while (samples.length > 2 && samples[1]!.at < at - WINDOW_MS) samples.shift();
    const oldest = samples[0]!;
    const perSecond = at > oldest.at ? ((progress.items - oldest.items) * 1000) / (at - oldest.at) : 0;
    const total = Math.max(expectedItems, progress.items);
    const left = perSecond > 0 ? formatDuration(((total - progress.items) * 1000) / perSecond) : '–';
    return [
      `${formatCount(progress.items)} of ${formatCount(total)} items`,
      `${perSecond.toFixed(perSecond < 10 ? 1 : 0)}/s`,
      `ETA ${left}`,
      `${formatCount(progress.tokens)} tokens`,
      formatUsd(progress.costUsd),
    ].join(' · ');
  };
}
