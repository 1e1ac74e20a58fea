import { openNetwork } from '../adapters/network/open-network.ts';
import { createSecretsManagerClient } from '../adapters/secrets-manager/create-secrets-manager-client.ts';
import { createSecretStore } from '../adapters/secrets-manager/secret-store.ts';
import { createJsonLogger } from '../adapters/system/json-logger.ts';
import { createSystemClock } from '../adapters/system/system-clock.ts';
import { createHttpWebhook } from '../adapters/webhook/http-webhook.ts';
import { parseWebhookSettings } from '../core/config/webhook-settings.ts';
import type { NotifyPorts } from '../pipeline/notify/notify-webhook.ts';
import type { LambdaSurroundings } from './lambda-surroundings.ts';
import { type Wired, wireLambda } from './wire-lambda.ts';

/** Wires `notify`, which needs neither the configuration nor the database. */
export async function wireNotify(surroundings?: LambdaSurroundings): Promise<Wired<NotifyPorts>> {
  return wireLambda('notify', surroundings, async ({ variables, writeLine }) => {
    const { stage, region, secretArn } = parseWebhookSettings(variables.FRESHET_WEBHOOK);
    const clock = createSystemClock();
    const secrets = createSecretStore({ client: createSecretsManagerClient({ region }), clock });
    const network = openNetwork();
    return {
      ports: {
        stage,
        webhook: createHttpWebhook({ secrets, secretArn, network }),
        logger: createJsonLogger(writeLine, clock, { stage, component: 'notify' }),
      },
      isAlive: async () => true,
      close: () => network.close(),
    };
  });
}
