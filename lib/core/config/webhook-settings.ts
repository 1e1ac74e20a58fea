import * as z from 'zod';
import { FreshetError } from '../errors/freshet-error.ts';

const text = z.string().min(1);
const webhookSettings = z.strictObject({ stage: text, region: text, secretArn: text });

/** What the stack tells `notify` through the variable `FRESHET_WEBHOOK`. */
export type WebhookSettings = z.output<typeof webhookSettings>;

/** @throws FreshetError */
export function parseWebhookSettings(json: string | undefined): WebhookSettings {
  const parsed = webhookSettings.safeParse(parseJson(json));
  if (parsed.success) return parsed.data;
  throw new FreshetError('FRESHET_WEBHOOK is not what this version expects: deploy the stack again.', {
    failureClass: 'stop',
    code: 'bad_deployment_settings',
  });
}

function parseJson(json: string | undefined): unknown {
  try {
    return JSON.parse(json ?? '');
  } catch {
    return undefined;
  }
}
