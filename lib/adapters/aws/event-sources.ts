import {
  GetEventSourceMappingCommand,
  LambdaClient,
  ListTagsCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateEventSourceMappingCommand,
} from '@aws-sdk/client-lambda';
import { FreshetError } from '../../core/errors.ts';
import type { EventSource, EventSources } from '../../ports/queues.ts';
import { callAws } from './call-aws.ts';
import { type AwsAccess, clientSettings } from './client-settings.ts';

/**
 * The tag of a mapping that we disabled.
 * A deployment leaves the tag alone, because it is not in the template.
 */
const MARK_KEY = 'freshet:paused-by';
const MARK_VALUE = 'guard';

/**
 * Creates the port for Lambda's event source mappings.
 * The tag is set before the closing and removed after the opening. An operation that breaks off in
 * between leaves a tagged mapping, and the next run settles it.
 */
export function createLambdaEventSources(client: LambdaClient): EventSources {
  const enable = (mappingId: string, enabled: boolean) =>
    callAws('Lambda', () =>
      client.send(new UpdateEventSourceMappingCommand({ UUID: mappingId, Enabled: enabled })),
    );
  return {
    async read(mappingId) {
      const mapping = await callAws('Lambda', () =>
        client.send(new GetEventSourceMappingCommand({ UUID: mappingId })),
      );
      const arn = mapping.EventSourceMappingArn;
      if (arn === undefined) throw noArn(mappingId);
      const { Tags } = await callAws('Lambda', () => client.send(new ListTagsCommand({ Resource: arn })));
      return { mappingId, arn, state: toState(mapping.State), closedByUs: Tags?.[MARK_KEY] === MARK_VALUE };
    },
    async close({ mappingId, arn }) {
      const Tags = { [MARK_KEY]: MARK_VALUE };
      await callAws('Lambda', () => client.send(new TagResourceCommand({ Resource: arn, Tags })));
      await enable(mappingId, false);
    },
    async open({ mappingId, arn, state }) {
      if (state !== 'open') await enable(mappingId, true);
      await callAws('Lambda', () =>
        client.send(new UntagResourceCommand({ Resource: arn, TagKeys: [MARK_KEY] })),
      );
    },
  };
}

/**
 * Translates Lambda's word for the state of a mapping.
 * Its other words are `Creating`, `Enabling`, `Disabling`, `Updating` and `Deleting`.
 */
function toState(state: string | undefined): EventSource['state'] {
  if (state === 'Enabled') return 'open';
  return state === 'Disabled' ? 'closed' : 'changing';
}

function noArn(mappingId: string): FreshetError {
  return new FreshetError(`Lambda gave no ARN of the event source mapping ${mappingId}.`, {
    failureClass: 'unknown',
    code: 'aws_no_arn',
  });
}

/**
 * Creates a client of Lambda's API for functions.
 * With three attempts and their waits, a call ends within 15 seconds.
 */
export function createLambdaClient(access: AwsAccess): LambdaClient {
  return new LambdaClient(clientSettings(access, { requestTimeoutMs: 3_000 }));
}
