import * as z from 'zod';
import { parseSettings } from './parse-settings.ts';

const text = z.string().min(1);
const webhookSettings = z.strictObject({ stage: text, region: text, secretArn: text });

/** What the stack tells `notify` through the variable `FRESHET_WEBHOOK`. */
type WebhookSettings = z.output<typeof webhookSettings>;

/** @throws FreshetError that names the keys at fault. */
export function parseWebhookSettings(json: string | undefined): WebhookSettings {
  return parseSettings(webhookSettings, 'FRESHET_WEBHOOK', json);
}
