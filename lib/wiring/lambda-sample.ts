import { join } from 'node:path';
import { createSecretLogin } from '../adapters/postgres/create-secret-login.ts';
import { createVectorExtension } from '../adapters/postgres/create-vector-extension.ts';
import { openPostgres } from '../adapters/postgres/open-postgres.ts';
import { scramVerifier } from '../adapters/postgres/scram-verifier.ts';
import { createSecretsManagerClient } from '../adapters/secrets-manager/create-secrets-manager-client.ts';
import { createSecretStore } from '../adapters/secrets-manager/secret-store.ts';
import { answers } from '../adapters/sql/database-answers.ts';
import { createSampleStore } from '../adapters/sql/sample/sample-store.ts';
import type { SqlDatabase } from '../adapters/sql/sql-database.ts';
import { createJsonLogger } from '../adapters/system/json-logger.ts';
import { createSystemClock } from '../adapters/system/system-clock.ts';
import { parseSampleSettings, type SampleSettings } from '../core/config/sample-settings.ts';
import type { SamplePorts } from '../pipeline/sample/sample-ports.ts';
import type { SecretStore } from '../ports/secret-store.ts';
import { readLambdaConfig } from './lambda-config.ts';
import type { LambdaSurroundings } from './lambda-surroundings.ts';
import { readSampleItems } from './read-sample-items.ts';
import { type Wired, wireLambda } from './wire-lambda.ts';

const ITEMS = 'ai-items.data.json';

/**
 * Wires `sample` with the login of the example database's owner.
 * No function of a pipeline logs in as the owner.
 */
export async function wireSample(surroundings?: LambdaSurroundings): Promise<Wired<SamplePorts>> {
  return wireLambda('sample', surroundings, async given => {
    const settings = parseSampleSettings(given.variables.FRESHET_SAMPLE);
    const config = await readLambdaConfig(given.directory);
    const clock = createSystemClock();
    const client = createSecretsManagerClient({ region: settings.region });
    const secrets = createSecretStore({ client, clock });
    const database = await (given.openDatabase?.() ?? openAsOwner(settings, secrets));
    const ports: SamplePorts = {
      store: createSampleStore(database, config, () => readRole(settings, secrets)),
      readItems: () => readSampleItems(join(given.directory, ITEMS)),
      logger: createJsonLogger(given.writeLine, clock, { stage: settings.stage, component: 'sample' }),
    };
    return { ports, isAlive: () => answers(database, clock), close: () => database.close() };
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
