import { createSecretStore, createSecretsManagerClient } from '../adapters/aws/secret-store.ts';
import { openNetwork } from '../adapters/network/open-network.ts';
import { readProxies } from '../adapters/network/proxies.ts';
import { createJsonLogger, createSystemClock } from '../adapters/system.ts';
import { createHttpWebhook } from '../adapters/webhook.ts';
import { parseWebhookSettings } from '../core/config/deployment-settings.ts';
import type { NotifyPorts } from '../pipeline/notify.ts';
import { readLambdaDependencies, type Wired, wireLambda } from './lambda.ts';

/** Wires `notify`, which needs neither the configuration nor the database. */
export async function wireNotify(dependencies = readLambdaDependencies()): Promise<Wired<NotifyPorts>> {
  return wireLambda('notify', dependencies, async () => {
    const { variables, writeLine } = dependencies;
    const { stage, region, secretArn } = parseWebhookSettings(variables.FRESHET_WEBHOOK);
    const clock = createSystemClock();
    const secrets = createSecretStore({ client: createSecretsManagerClient({ region }), clock });
    const network = openNetwork(undefined, readProxies(variables));
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
