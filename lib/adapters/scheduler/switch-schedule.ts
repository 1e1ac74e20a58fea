import {
  GetScheduleCommand,
  type SchedulerClient,
  UpdateScheduleCommand,
  type UpdateScheduleCommandInput,
} from '@aws-sdk/client-scheduler';
import { askAws } from '../aws/ask-aws.ts';

type ScheduleState = 'enabled' | 'disabled';

/**
 * Reads whether a schedule is enabled.
 * `schedule` is `name`, or `group/name` outside the default group.
 */
export async function readSchedule(client: SchedulerClient, schedule: string): Promise<ScheduleState> {
  const { State } = await describe(client, schedule);
  return State === 'DISABLED' ? 'disabled' : 'enabled';
}

/**
 * Enables or disables a schedule. Resolves with whether anything changed.
 * An update replaces the whole schedule, so that all its other settings are sent again.
 */
export async function switchSchedule(
  client: SchedulerClient,
  schedule: string,
  state: ScheduleState,
): Promise<boolean> {
  const {
    $metadata: _m,
    Arn: _a,
    CreationDate: _c,
    LastModificationDate: _l,
    ...known
  } = await describe(client, schedule);
  const State = state === 'enabled' ? 'ENABLED' : 'DISABLED';
  if (known.State === State) return false;
  const input = { ...known, State } as UpdateScheduleCommandInput;
  await askAws('scheduler:UpdateSchedule', () => client.send(new UpdateScheduleCommand(input)));
  return true;
}

function describe(client: SchedulerClient, schedule: string) {
  const [name, group] = schedule.split('/').toReversed();
  const input = { Name: name, ...(group === undefined ? {} : { GroupName: group }) };
  return askAws('scheduler:GetSchedule', () => client.send(new GetScheduleCommand(input)));
}
