import { UsageError } from '../errors/usage-error.ts';
import type { ModelDefinition } from '../model/space.ts';
import { PROVIDERS } from '../providers.ts';
import { formatPath } from './describe-issues.ts';
import { LAMBDA_CONNECTIONS, type LambdaName } from './lambda-connections.ts';
import { type PipelineConfig, usedAliases } from './pipeline-config.ts';
import { TEI_IMAGE_ACCOUNTS } from './tei-images.ts';

/**
 * The most dimensions that pgvector's HNSW index takes of the type `vector`.
 * The view shows vectors of that type.
 */
const MAX_INDEXED_DIMENSIONS = 2000;

/** The settings of a stage that decide whether its deployment can work. */
export interface Deployment {
  readonly stage: string;
  /** The region. Undefined: the stack fits any region that it is deployed to. */
  readonly region?: string | undefined;
  readonly providerSecrets: Readonly<Record<string, string>>;
  /** Maximum concurrency of each lane of each alias, and of `write`. */
  readonly maxConcurrency: { readonly fresh: number; readonly bulk: number; readonly write: number };
  /** Ticks of `detect` that its schedules can run at the same time. */
  readonly scheduledTicks: number;
  readonly maxConnections: number;
}

/**
 * Refuses a deployment that would succeed and then not work.
 * @throws UsageError lists every problem with its remedy
 */
export function requireDeployable(config: PipelineConfig, deployment: Deployment): void {
  const models = usedAliases(config).map(alias => config.models[alias]!);
  const problems = [
    ...models.flatMap(model => [
      ...findWideVectors(model),
      ...findUnreachable(model),
      ...findMissingSecret(model, deployment),
      ...findMissingEndpoint(model, deployment),
    ]),
    ...findTooManyConnections(models.length, deployment),
  ];
  if (problems.length === 0) return;
  throw new UsageError(
    `Stage ${deployment.stage} cannot be deployed:\n${problems.map(problem => `  ${problem}`).join('\n')}`,
  );
}

function findWideVectors({ alias, dimensions }: ModelDefinition): string[] {
  if (dimensions <= MAX_INDEXED_DIMENSIONS) return [];
  return [
    `The model ${alias} has ${dimensions} dimensions, and a search index takes ${MAX_INDEXED_DIMENSIONS}: give ${formatPath(['models', alias])} a smaller size, such as { dimensions: 1536 }, if the model can be cut, or choose another.`,
  ];
}

function findUnreachable({ alias, provider, baseUrl }: ModelDefinition): string[] {
  const host = hostOf(baseUrl ?? PROVIDERS[provider].url);
  if (host === undefined || !/^(localhost|.+\.localhost|127\.[\d.]+|\[::1\])$/.test(host)) return [];
  return [
    `The model ${alias} is served on the machine itself (${host}), where a Lambda function finds nothing: give ${formatPath(['models', alias, 'baseUrl'])} an address inside the VPC.`,
  ];
}

function findMissingSecret({ alias, provider, baseUrl }: ModelDefinition, deployment: Deployment): string[] {
  const { url, key } = PROVIDERS[provider];
  const isAtHome = url !== undefined && hostOf(baseUrl ?? url) === hostOf(url);
  if (key === undefined || !isAtHome) return [];
  if (Object.hasOwn(deployment.providerSecrets, alias)) return [];
  const path = formatPath(['aws', 'stages', deployment.stage, 'providerSecrets', alias]);
  return [
    `The model ${alias} needs a key: put it into Secrets Manager (aws secretsmanager create-secret --name freshet/${alias} --secret-string …) and name its ARN at ${path}.`,
  ];
}

function hostOf(url: string | undefined): string | undefined {
  return url === undefined ? undefined : URL.parse(url)?.hostname;
}

function findMissingEndpoint(
  { alias, provider, endpointName }: ModelDefinition,
  { stage, region }: Deployment,
): string[] {
  if (PROVIDERS[provider].needs.endpointName === undefined || endpointName !== undefined) return [];
  const known = Object.keys(TEI_IMAGE_ACCOUNTS).join(', ');
  if (region === undefined)
    return [
      `The model ${alias} needs a GPU endpoint, whose image depends on the region: name it at ${formatPath(['aws', 'stages', stage, 'region'])} (known: ${known}).`,
    ];
  if (Object.hasOwn(TEI_IMAGE_ACCOUNTS, region))
    return [
      `The model ${alias} names no endpoint: give the one that serves it at ${formatPath(['models', alias, 'endpointName'])}.`,
    ];
  return [
    `The model ${alias} needs a GPU endpoint, and the embedding image is not known in ${region}: choose one of ${known}, or name an endpoint of your own at ${formatPath(['models', alias, 'endpointName'])}.`,
  ];
}

/**
 * Counts the execution environments that each function can have at once.
 * A frozen environment keeps its connections. An operator can also start `detect` (`backfill`,
 * `reset`) and `operate`, one at a time. `migrate` runs during a deployment, beside all the others.
 */
function countEnvironments(
  models: number,
  {
    maxConcurrency: { fresh, bulk, write },
    scheduledTicks,
  }: Pick<Deployment, 'maxConcurrency' | 'scheduledTicks'>,
): Readonly<Record<LambdaName, number>> {
  return {
    detect: scheduledTicks + 1,
    embed: models * (fresh + bulk),
    write,
    guard: 1,
    migrate: 1,
    operate: 1,
  };
}

function findTooManyConnections(models: number, deployment: Deployment): string[] {
  const { maxConnections } = deployment;
  const { fresh, bulk, write } = deployment.maxConcurrency;
  const environments = Object.entries(countEnvironments(models, deployment)) as [LambdaName, number][];
  const held = environments.map(([name, count]) => ({ name, connections: count * LAMBDA_CONNECTIONS[name] }));
  const connections = held.reduce((sum, { connections }) => sum + connections, 0);
  if (connections < maxConnections) return [];
  const parts = held.map(({ name, connections }) => `${name} ${connections}`).join(' + ');
  return [
    `The functions can hold ${connections} database connections at once (${parts}; embed has ${models} model${models === 1 ? '' : 's'} × (fresh ${fresh} + bulk ${bulk}), write ${write}), and database.maxConnections is ${maxConnections}: lower maxConcurrency, or raise maxConnections above that if the server allows it.`,
  ];
}
