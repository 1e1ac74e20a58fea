import { join } from 'node:path';
import { createSecretStore, createSecretsManagerClient } from '../adapters/aws/secret-store.ts';
import { createSecretLogin, scramVerifier } from '../adapters/postgres/login.ts';
import { openPostgres } from '../adapters/postgres/open-postgres.ts';
import { createVectorExtension } from '../adapters/postgres/sessions.ts';
import { isReachable, type SqlDatabase } from '../adapters/sql/database.ts';
import { createSampleStore } from '../adapters/sql/sample-store.ts';
import { createJsonLogger, createSystemClock } from '../adapters/system.ts';
import {
  parseSampleSettings,
  SAMPLE_ITEMS_FILE,
  type SampleSettings,
} from '../core/config/deployment-settings.ts';
import type { SamplePorts } from '../pipeline/sample.ts';
import type { SecretStore } from '../ports/provider.ts';
import { readLambdaDependencies, type Wired, wireLambda } from './lambda.ts';
import { readLambdaConfig } from './lambda-ports.ts';
import { readSampleItems } from './prepare.ts';

/**
 * Wires `sample` with the login of the example database's owner.
 * No function of a pipeline logs in as the owner.
 */
export async function wireSample(dependencies = readLambdaDependencies()): Promise<Wired<SamplePorts>> {
  return wireLambda('sample', dependencies, async () => {
    const settings = parseSampleSettings(dependencies.variables.FRESHET_SAMPLE);
    const config = await readLambdaConfig(dependencies.directory);
    const clock = createSystemClock();
    const client = createSecretsManagerClient({ region: settings.region });
    const secrets = createSecretStore({ client, clock });
    const database = await (dependencies.openDatabase?.() ?? openAsOwner(settings, secrets));
    const ports: SamplePorts = {
      store: createSampleStore(database, config, () => readRole(settings, secrets)),
      readItems: () => readSampleItems(join(dependencies.directory, SAMPLE_ITEMS_FILE)),
      logger: createJsonLogger(dependencies.writeLine, clock, { stage: settings.stage, component: 'sample' }),
    };
    return { ports, isAlive: () => isReachable(database, clock), close: () => database.close() };
  });
}

async function openAsOwner(settings: SampleSettings, secrets: SecretStore): Promise<SqlDatabase> {
  const endpoint = {
    host: settings.host,
    port: settings.port,
    database: settings.name,
    readLogin: createSecretLogin({ secrets, secretArn: settings.ownerSecretArn }),
    certificateAuthority: 'rds' as const,
  };
  await createVectorExtension(endpoint);
  return openPostgres({ endpoint, maxConnections: 1, applicationName: 'freshet-sample' });
}

async function readRole(settings: SampleSettings, secrets: SecretStore) {
  const readLogin = createSecretLogin({ secrets, secretArn: settings.pipelineSecretArn });
  const { user, password } = await readLogin({ fresh: true });
  return { name: user, verifier: scramVerifier(password) };
}
