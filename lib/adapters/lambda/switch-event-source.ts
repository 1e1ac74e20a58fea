import {
  GetEventSourceMappingCommand,
  type LambdaClient,
  UpdateEventSourceMappingCommand,
} from '@aws-sdk/client-lambda';
import { askAws } from '../aws/ask-aws.ts';

/**
 * Enables or disables an event source mapping on behalf of a person.
 * The guard's tag is not set, so that the guard leaves the mapping alone. The change takes about a
 * minute.
 */
export async function switchEventSource(client: LambdaClient, id: string, enabled: boolean): Promise<void> {
  await askAws('lambda:UpdateEventSourceMapping', () =>
    client.send(new UpdateEventSourceMappingCommand({ UUID: id, Enabled: enabled })),
  );
}

/** Reads Lambda's word for the state: `Enabled`, `Disabled`, or a state between them. */
export async function readEventSourceState(client: LambdaClient, id: string): Promise<string> {
  const { State } = await askAws('lambda:GetEventSourceMapping', () =>
    client.send(new GetEventSourceMappingCommand({ UUID: id })),
  );
  return State ?? 'unknown';
}
