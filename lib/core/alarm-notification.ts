import { parseJson } from './messages.ts';

/**
 * Formats an alarm's notification as lines of text for people.
 * CloudWatch's reason is left out: it repeats numbers that the dashboard shows better.
 */
export function describeAlarmNotification(stage: string, alarm: AlarmNotification): string {
  const { name, description, state, changedAt, region, behind } = alarm;
  const where = [`freshet ${stage}`, region, changedAt].filter(part => part !== undefined).join(' · ');
  const lines = [
    `${STATE_WORDS[state]}: ${name}`,
    description,
    ...behind.map(child => `because of ${child}`),
    where,
  ];
  return lines.filter(line => line !== '').join('\n');
}

const STATE_WORDS = { ALARM: 'ALARM', OK: 'over', INSUFFICIENT_DATA: 'no data' } as const;

/** The parts of CloudWatch's alarm notification that people are told. */
interface AlarmNotification {
  readonly name: string;
  readonly description: string;
  readonly state: AlarmStateName;
  /** When the state changed, as CloudWatch writes it. */
  readonly changedAt: string | undefined;
  readonly region: string | undefined;
  /** Names of the alarms that caused a composite alarm. Empty for other alarms. */
  readonly behind: readonly string[];
}

const STATES = ['ALARM', 'OK', 'INSUFFICIENT_DATA'] as const;
type AlarmStateName = (typeof STATES)[number];

/**
 * Parses the message that CloudWatch publishes about an alarm.
 * Undefined for any other message.
 */
export function parseAlarmNotification(message: string): AlarmNotification | undefined {
  const parsed = parseJson(message);
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const fields = parsed as Readonly<Record<string, unknown>>;
  const state = STATES.find(name => name === fields.NewStateValue);
  const name = readText(fields.AlarmName);
  if (state === undefined || name === undefined) return undefined;
  return {
    name,
    description: readText(fields.AlarmDescription) ?? '',
    state,
    changedAt: readText(fields.StateChangeTime),
    region: readText(fields.Region),
    behind: readNames(fields.TriggeringChildren),
  };
}

function readNames(children: unknown): string[] {
  if (!Array.isArray(children)) return [];
  return children.flatMap((child: { readonly Arn?: unknown } | null) => {
    const arn = readText(child?.Arn);
    return arn === undefined ? [] : [arn.split(':alarm:').at(-1)!];
  });
}

function readText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
