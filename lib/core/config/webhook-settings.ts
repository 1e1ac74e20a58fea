import * as z from 'zod';
import { parseSettings } from './parse-settings.ts';

const text = z.string().min(1);
const webhookSettings = z.strictObject({ stage: text, region: text, secretArn: text });

/** The settings in the variable `FRESHET_WEBHOOK` of the function `notify`. */
type WebhookSettings = z.output<typeof webhookSettings>;

/**
 * Parses the variable `FRESHET_WEBHOOK`.
 * @throws FreshetError `bad_deployment_settings`; names the keys at fault, never their values
 */
export function parseWebhookSettings(json: string | undefined): WebhookSettings {
  return parseSettings(webhookSettings, 'FRESHET_WEBHOOK', json);
}
