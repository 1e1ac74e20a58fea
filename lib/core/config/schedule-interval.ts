const SECONDS = { minute: 60, hour: 3_600, day: 86_400 } as const;

/**
 * Seconds between two ticks, at most, to judge whether a tick is missing.
 * Of a `cron(…)` only the hours are read: an hour where they are `*`, else a day.
 */
export function scheduleIntervalSeconds(expression: string): number {
  const rate = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression);
  if (rate !== null) return Number(rate[1]) * SECONDS[rate[2] as keyof typeof SECONDS];
  const hours = expression.replace(/^cron\(/, '').split(' ')[1];
  return hours === '*' ? SECONDS.hour : SECONDS.day;
}

/**
 * Counts the runs that a schedule can have going at once if each takes `timeoutSeconds`.
 * Of a `cron(…)` only the minutes are read: one minute means a run every hour, anything else is
 * taken for a run every minute.
 */
export function countOverlappingRuns(expression: string, timeoutSeconds: number): number {
  const minutes = /^cron\((\S+)/.exec(expression)?.[1];
  const shortest =
    minutes === undefined
      ? scheduleIntervalSeconds(expression)
      : /^\d+$/.test(minutes)
        ? SECONDS.hour
        : SECONDS.minute;
  return Math.ceil(timeoutSeconds / shortest);
}
