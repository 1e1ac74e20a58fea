import { describeAlarmNotification, parseAlarmNotification } from '../core/alarm-notification.ts';
import type { Logger, Webhook } from '../ports/process.ts';

export interface NotifyPorts {
  readonly stage: string;
  readonly webhook: Webhook;
  readonly logger: Logger;
}

/**
 * Passes alarms on to the webhook, one post each.
 * A message that is no alarm is told as such and never quoted.
 * @throws FreshetError where a post failed, so that SNS delivers the messages again.
 */
export async function notifyWebhook(ports: NotifyPorts, messages: readonly string[]): Promise<void> {
  for (const message of messages) {
    const alarm = parseAlarmNotification(message);
    if (alarm === undefined) {
      ports.logger.warn('notification-unknown', { characters: message.length });
      await ports.webhook.post(
        `freshet ${ports.stage}: a message that is no alarm was published to the topic; ` +
          'it is not repeated here.',
      );
      continue;
    }
    await ports.webhook.post(describeAlarmNotification(ports.stage, alarm));
    ports.logger.info('alarm-posted', { alarm: alarm.name, state: alarm.state });
  }
}
