import {
  GetEventSourceMappingCommand,
  type LambdaClient,
  UpdateEventSourceMappingCommand,
} from '@aws-sdk/client-lambda';
import { askAws } from '../aws/ask-aws.ts';

/** By hand, without the guard's tag: the guard leaves it alone. It takes a minute or so until it is so. */
export async function switchEventSource(client: LambdaClient, id: string, enabled: boolean): Promise<void> {
  await askAws('lambda:UpdateEventSourceMapping', () =>
    client.send(new UpdateEventSourceMappingCommand({ UUID: id, Enabled: enabled })),
  );
}

/** `Enabled`, `Disabled`, or what is between them. */
export async function readEventSourceState(client: LambdaClient, id: string): Promise<string> {
  const { State } = await askAws('lambda:GetEventSourceMapping', () =>
    client.send(new GetEventSourceMappingCommand({ UUID: id })),
  );
  return State ?? 'unknown';
}
