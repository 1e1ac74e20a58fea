import { UsageError } from '../errors.ts';
import { findTeiImage, TEI_IMAGE_ACCOUNTS, type TeiImage } from '../gpu-endpoint.ts';
import type { ModelDefinition } from '../model.ts';
import { isLoopbackHost, PROVIDERS } from '../providers.ts';
import { maxIndexedDimensions } from '../vectors.ts';
import type { ApiSection } from './api-schema.ts';
import {
  findApiProblems,
  findEqualNames,
  findForeignSecrets,
  findLongAliases,
  findRareTicks,
  type PlacedArn,
} from './aws-limits.ts';
import type { AwsStage, GpuSection } from './aws-schema.ts';
import { type ConcurrencyInput, findTooManyConnections } from './connections.ts';
import { formatPath } from './describe-issues.ts';
import { aliasesOf, type PipelineConfig, usedAliases } from './pipeline-config.ts';
import { findScheduleFaults, type PlannedSchedules } from './schedule-faults.ts';

/** The settings of a stage that decide whether its deployment can work. */
export interface PlannedDeployment {
  readonly stage: string;
  /** Where its settings stand: a path of the configuration, or none where they are props. */
  readonly place: readonly string[];
  /** The region. Undefined: the stack fits any region that it is deployed to. */
  readonly region?: string | undefined;
  /** Model alias → ARN of the secret of its key. */
  readonly providerSecrets: Readonly<Record<string, string>>;
  /** The other secrets that functions read. */
  readonly otherSecrets: readonly PlacedArn[];
  /** The keys of KMS that encrypt secrets. */
  readonly secretKeys: readonly PlacedArn[];
  /** Seconds between two looks at the changed rows. */
  readonly tickSeconds: number;
  readonly maxConcurrency: ConcurrencyInput;
  /** Ticks of `detect` that its schedules can run at the same time. */
  readonly scheduledTicks: number;
  readonly maxConnections: number;
  /** The service for clients. Undefined: the stage has none. */
  readonly api?: Pick<ApiSection, 'environments' | 'claims'> | undefined;
  /** When schedules start `detect`, and by which mode. */
  readonly schedules: PlannedSchedules;
  /** The promise: an edit is embedded within this many minutes. */
  readonly sloMinutes: number;
}

/**
 * Refuses a deployment that would succeed and then not work.
 * @throws UsageError lists every problem with its remedy
 */
export function requireDeployable(config: PipelineConfig, deployment: PlannedDeployment): void {
  const models = usedAliases(config).map(alias => config.models[alias]!);
  const problems = [
    ...models.flatMap(model => [
      ...findUnreachable(model),
      ...findHeaders(model, deployment),
      ...findMissingSecret(model, deployment),
      ...findMissingEndpoint(model, deployment),
    ]),
    ...findWideVectors(config),
    ...findEqualNames(models),
    ...findLongAliases(models),
    ...findForeignSecrets(deployment),
    ...findRareTicks(deployment),
    ...findTooManyConnections(models.length, {
      ...deployment,
      apiEnvironments: deployment.api?.environments,
    }),
    ...findApiProblems(config, deployment.place, deployment.api),
    ...findScheduleFaults(config, deployment),
  ];
  if (problems.length === 0) return;
  throw cannotBeDeployed(`Stage ${deployment.stage}`, problems);
}

function cannotBeDeployed(subject: string, problems: readonly string[]): UsageError {
  return new UsageError(`${subject} cannot be deployed:\n${problems.map(line => `  ${line}`).join('\n')}`);
}

/** Names each model once, at the first source whose index cannot take its vectors. */
function findWideVectors({ sources, models }: PipelineConfig): string[] {
  const problems = new Map<string, string>();
  for (const [index, source] of sources.entries()) {
    const most = maxIndexedDimensions(source.storage);
    for (const alias of aliasesOf(source)) {
      const { dimensions } = models[alias]!;
      if (dimensions <= most || problems.has(alias)) continue;
      const half = formatPath(['sources', index, 'storage']);
      const storage =
        dimensions <= maxIndexedDimensions('halfvec')
          ? `set ${half} to "halfvec", whose index takes ${maxIndexedDimensions('halfvec')}, or `
          : '';
      problems.set(
        alias,
        `The model ${alias} has ${dimensions} dimensions, and a search index takes ${most}: ${storage}give ` +
          `${formatPath(['models', alias])} a smaller size, such as { dimensions: 1536 }, if the model can ` +
          'be cut, or choose another.',
      );
    }
  }
  return [...problems.values()];
}

function findUnreachable({ alias, provider, baseUrl }: ModelDefinition): string[] {
  if (PROVIDERS[provider].runsFiles)
    return [
      `The model ${alias} runs on the machine itself (provider "${provider}"), which a Lambda function ` +
        `has not: serve it inside the VPC, and give ${formatPath(['models', alias])} provider "http" ` +
        'with its baseUrl, or "sagemaker" with its endpoint.',
    ];
  const host = hostOf(baseUrl ?? PROVIDERS[provider].url);
  if (host === undefined || !isLoopbackHost(host)) return [];
  return [
    `The model ${alias} is served on the machine itself (${host}), where a Lambda function finds ` +
      `nothing: give ${formatPath(['models', alias, 'baseUrl'])} an address inside the VPC.`,
  ];
}

/** A deployed function has no environment of its user's: its secret holds the variables. */
function findHeaders({ alias, headers = {} }: ModelDefinition, deployment: PlannedDeployment): string[] {
  const variables = Object.values(headers).map(({ env }) => env);
  if (variables.length === 0 || Object.hasOwn(deployment.providerSecrets, alias)) return [];
  const path = formatPath([...deployment.place, 'providerSecrets', alias]);
  const names = Object.keys(headers).join(', ');
  return [
    `The model ${alias} sends headers from the environment (${names}), which a deployed function does ` +
      `not have: put a JSON object with a text for each of ${variables.join(', ')} into Secrets ` +
      `Manager, and name its ARN at ${path}.`,
  ];
}

function findMissingSecret(
  { alias, provider, baseUrl, headers }: ModelDefinition,
  deployment: PlannedDeployment,
): string[] {
  const { url, key } = PROVIDERS[provider];
  const isAtHome = url !== undefined && hostOf(baseUrl ?? url) === hostOf(url);
  if (key === undefined || !isAtHome || headers !== undefined) return [];
  if (Object.hasOwn(deployment.providerSecrets, alias)) return [];
  const path = formatPath([...deployment.place, 'providerSecrets', alias]);
  return [
    `The model ${alias} needs a key: put it into Secrets Manager (aws secretsmanager create-secret ` +
      `--name freshet/${alias} --secret-string …) and name its ARN at ${path}.`,
  ];
}

function hostOf(url: string | undefined): string | undefined {
  return url === undefined ? undefined : URL.parse(url)?.hostname;
}

function findMissingEndpoint(
  { alias, provider, endpointName }: ModelDefinition,
  { place, region }: PlannedDeployment,
): string[] {
  if (PROVIDERS[provider].needs.endpointName === undefined || endpointName !== undefined) return [];
  const known = Object.keys(TEI_IMAGE_ACCOUNTS).join(', ');
  const regionPlace = place.length === 0 ? 'env.region of the stack' : formatPath([...place, 'region']);
  if (region === undefined)
    return [
      `The model ${alias} needs a GPU endpoint, whose image depends on the region: name it at ` +
        `${regionPlace} (known: ${known}).`,
    ];
  if (Object.hasOwn(TEI_IMAGE_ACCOUNTS, region))
    return [
      `The model ${alias} names no endpoint: give the one that serves it at ` +
        `${formatPath(['models', alias, 'endpointName'])}.`,
    ];
  return [
    `The model ${alias} needs a GPU endpoint, and the embedding image is not known in ${region}: ` +
      `choose one of ${known}, or name an endpoint of your own at ` +
      `${formatPath(['models', alias, 'endpointName'])}.`,
  ];
}

/** Regions that refused a `MinInstanceCount` of 0 in August 2026, while us-east-1 took it. */
const REGIONS_WITHOUT_SCALE_TO_ZERO: readonly string[] = ['eu-west-3'];

/** What the stack of a GPU endpoint is made from. */
export interface GpuEndpointSettings {
  readonly region: string;
  readonly image: TeiImage;
  readonly endpointName: string;
  readonly inferenceComponentName: string;
  /** The most texts that the adapter may put into one call. Undefined: the usual number. */
  readonly maxTextsPerCall: number | undefined;
}

/**
 * Resolves the section `gpu` of a stage to an endpoint that can be deployed and started.
 * @throws UsageError lists every problem with its remedy
 */
export function requireGpuEndpoint(
  config: PipelineConfig,
  stageName: string,
  { region }: Pick<AwsStage, 'region'>,
  gpu: GpuSection,
): GpuEndpointSettings {
  const path = (...keys: string[]) => formatPath(['aws', 'stages', stageName, ...keys]);
  const image = region === undefined ? undefined : findTeiImage(region, gpu.teiVersion);
  const model = Object.hasOwn(config.models, gpu.model) ? config.models[gpu.model] : undefined;
  const problems = [
    ...(image === undefined ? [describeRegion(region, path('region'))] : []),
    ...findCopyProblems(gpu, region, path),
  ];
  const modelPath = (key: string) => formatPath(['models', gpu.model, key]);
  if (model === undefined)
    problems.push(`${path('gpu', 'model')}: "${gpu.model}" is no model: name one of the section models.`);
  else if (model.provider !== 'sagemaker')
    problems.push(
      `${path('gpu', 'model')}: the model ${gpu.model} has provider "${model.provider}": give it ` +
        `"sagemaker" at ${modelPath('provider')}, with endpointName and inferenceComponentName.`,
    );
  else {
    if (!isName(model.endpointName)) problems.push(describeName(modelPath('endpointName')));
    if (!isName(model.inferenceComponentName))
      problems.push(describeName(modelPath('inferenceComponentName')));
  }
  const { endpointName, inferenceComponentName, limits } = model ?? {};
  if (
    problems.length > 0 ||
    region === undefined ||
    image === undefined ||
    endpointName === undefined ||
    inferenceComponentName === undefined
  )
    throw cannotBeDeployed(`The GPU endpoint of stage ${stageName}`, problems);
  return { region, image, endpointName, inferenceComponentName, maxTextsPerCall: limits?.maxTextsPerCall };
}

function describeRegion(region: string | undefined, path: string): string {
  const known = Object.keys(TEI_IMAGE_ACCOUNTS).join(', ');
  return region === undefined
    ? `${path} is missing, and the image depends on it: choose one of ${known}.`
    : `The embedding image is not known in ${region}: choose one of ${known} at ${path}.`;
}

function findCopyProblems(
  { minCopies, maxCopies }: GpuSection,
  region: string | undefined,
  path: (...keys: string[]) => string,
): string[] {
  const problems: string[] = [];
  if (minCopies > maxCopies)
    problems.push(
      `${path('gpu', 'maxCopies')} is ${maxCopies}, less than minCopies ${minCopies}: raise one or ` +
        'lower the other.',
    );
  if (minCopies === 0 && region !== undefined && REGIONS_WITHOUT_SCALE_TO_ZERO.includes(region))
    problems.push(
      `SageMaker in ${region} does not scale to zero: set ${path('gpu', 'minCopies')} to 1 (an ` +
        'instance that is always paid), or choose another region.',
    );
  return problems;
}

/** Whether SageMaker takes a text as the name of an endpoint or a component. */
function isName(name: string | undefined): boolean {
  return name !== undefined && /^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$/.test(name);
}

function describeName(path: string): string {
  return (
    `${path} is what the stack will be asked to make: give letters, digits and single dashes, ` +
    'at most 63, such as "embeddings-e5".'
  );
}
