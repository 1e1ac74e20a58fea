import { createEmfMetrics } from '../adapters/emf/emf-metrics.ts';
import { createSecretsManagerClient } from '../adapters/secrets-manager/create-secrets-manager-client.ts';
import { createSecretStore } from '../adapters/secrets-manager/secret-store.ts';
import type { SqlDatabase } from '../adapters/sql/sql-database.ts';
import { createJsonLogger } from '../adapters/system/json-logger.ts';
import { createSystemClock } from '../adapters/system/system-clock.ts';
import { createSystemRandomness } from '../adapters/system/system-randomness.ts';
import { type DeploymentSettings, parseDeploymentSettings } from '../core/config/deployment-settings.ts';
import type { LambdaName } from '../core/config/lambda-connections.ts';
import { nameProviders } from '../core/config/name-providers.ts';
import type { PipelineConfig } from '../core/config/pipeline-config.ts';
import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Randomness } from '../ports/randomness.ts';
import type { SecretStore } from '../ports/secret-store.ts';
import { readLambdaConfig } from './lambda-config.ts';
import { openLambdaDatabase } from './lambda-database.ts';
import { type LambdaSurroundings, readSurroundings } from './lambda-surroundings.ts';

/** What every function is wired from. Nothing but files has been opened yet. */
export interface LambdaParts {
  readonly settings: DeploymentSettings;
  readonly config: PipelineConfig;
  readonly secrets: SecretStore;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly openDatabase: () => Promise<SqlDatabase>;
}

export async function readLambdaParts(
  name: LambdaName,
  surroundings: LambdaSurroundings = readSurroundings(),
): Promise<LambdaParts> {
  const { variables, directory, writeLine, openDatabase } = surroundings;
  const settings = parseDeploymentSettings(variables.FRESHET_DEPLOYMENT);
  const config = await readLambdaConfig(directory);
  const clock = createSystemClock();
  const client = createSecretsManagerClient({ region: settings.region });
  const secrets = createSecretStore({ client, clock });
  return {
    settings,
    config,
    secrets,
    clock,
    randomness: createSystemRandomness(),
    logger: createJsonLogger(writeLine, clock, { stage: settings.stage, component: name }),
    metrics: createEmfMetrics({
      write: writeLine,
      dimensions: { stage: settings.stage, component: name, provider: nameProviders(config) },
    }),
    openDatabase: openDatabase ?? (() => openLambdaDatabase(name, settings, secrets)),
  };
}
