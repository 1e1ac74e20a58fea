const SECONDS = { minute: 60, hour: 3_600, day: 86_400 } as const;

/**
 * The longest time between two ticks, in seconds, for judging whether one is missing. Of a `cron(…)` only its shape is read: an hour where the hours are
 * open, a day else.
 */
export function scheduleIntervalSeconds(expression: string): number {
  const rate = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression);
  if (rate !== null) return Number(rate[1]) * SECONDS[rate[2] as keyof typeof SECONDS];
  const hours = expression.replace(/^cron\(/, '').split(' ')[1];
  return hours === '*' ? SECONDS.hour : SECONDS.day;
}

/**
 * Runs of a function that a schedule can have going at the same time, when each may take `timeoutSeconds`. Of a `cron(…)` only its minutes are
 * read: with more than one minute named, every minute is taken for one of them.
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
