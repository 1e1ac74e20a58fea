import { type CloudWatchLogsClient, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { askAws } from '../aws/ask-aws.ts';

interface LogEvent {
  readonly eventId: string;
  readonly atMs: number;
  readonly message: string;
}

/**
 * Reads a log group's events from `sinceMs` on, page by page, oldest first within a page.
 * `filter` is a filter pattern of CloudWatch Logs.
 */
export async function* readLogEvents(
  client: CloudWatchLogsClient,
  request: { readonly logGroup: string; readonly sinceMs: number; readonly filter?: string | undefined },
): AsyncGenerator<LogEvent> {
  let nextToken: string | undefined;
  do {
    const command = new FilterLogEventsCommand({
      logGroupName: request.logGroup,
      startTime: request.sinceMs,
      ...(request.filter === undefined ? {} : { filterPattern: request.filter }),
      ...(nextToken === undefined ? {} : { nextToken }),
    });
    const page = await askAws('logs:FilterLogEvents', () => client.send(command));
    for (const { eventId, timestamp, message } of page.events ?? [])
      if (message !== undefined) yield { eventId: eventId ?? '', atMs: timestamp ?? 0, message };
    nextToken = page.nextToken;
  } while (nextToken !== undefined);
}
