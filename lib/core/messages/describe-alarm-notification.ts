import type { AlarmNotification } from './parse-alarm-notification.ts';

const WORDS = { ALARM: 'ALARM', OK: 'over', INSUFFICIENT_DATA: 'no data' } as const;

/**
 * Formats an alarm's notification as lines of text for people.
 * CloudWatch's reason is left out: it repeats numbers that the dashboard shows better.
 */
export function describeAlarmNotification(stage: string, alarm: AlarmNotification): string {
  const { name, description, state, changedAt, region, behind } = alarm;
  const where = [`freshet ${stage}`, region, changedAt].filter(part => part !== undefined).join(' · ');
  const lines = [
    `${WORDS[state]}: ${name}`,
    description,
    ...behind.map(child => `because of ${child}`),
    where,
  ];
  return lines.filter(line => line !== '').join('\n');
}
