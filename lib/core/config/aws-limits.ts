import type { ModelDefinition } from '../model.ts';
import type { ApiSection } from './api-schema.ts';
import { formatPath } from './describe-issues.ts';
import type { PipelineConfig } from './pipeline-config.ts';
import { MAX_PLAIN_ALIAS, plainAlias } from './queue-names.ts';

/** Where the settings stand that meet a limit of AWS, for the sentence. */
interface SettingsPlace {
  readonly place: readonly string[];
}

/** An ARN by its path in a stage, as `['database', 'secretArn']`. An alias in it may have a dot. */
export type PlacedArn = readonly [path: readonly string[], arn: string | undefined];

/** Finds aliases of which names of resources and outputs, all letters and digits, are the same. */
export function findEqualNames(models: readonly Pick<ModelDefinition, 'alias'>[]): string[] {
  return models.flatMap(({ alias }, place) => {
    const earlier = models.slice(0, place).find(other => plainAlias(other.alias) === plainAlias(alias));
    if (earlier === undefined) return [];
    return [
      `The models ${earlier.alias} and ${alias} have the same letters and digits, and the names of queues ` +
        'and outputs keep nothing else: give one of them another alias.',
    ];
  });
}

/** Finds aliases that the name of a queue has no room for. */
export function findLongAliases(models: readonly Pick<ModelDefinition, 'alias'>[]): string[] {
  const long = models.filter(({ alias }) => plainAlias(alias).length > MAX_PLAIN_ALIAS);
  return long.map(
    ({ alias }) =>
      `The alias ${alias} has ${plainAlias(alias).length} letters and digits, and the names of queues have ` +
      `room for ${MAX_PLAIN_ALIAS}: give the model a shorter alias.`,
  );
}

/** Finds secrets and keys of another region: functions ask the Secrets Manager of their own. */
export function findForeignSecrets({
  place: settings,
  region,
  providerSecrets,
  otherSecrets,
  secretKeys,
}: SettingsPlace & {
  readonly region?: string | undefined;
  readonly providerSecrets: Readonly<Record<string, string>>;
  readonly otherSecrets: readonly PlacedArn[];
  /** The keys of KMS that encrypt secrets. */
  readonly secretKeys: readonly PlacedArn[];
}): string[] {
  const secrets = [
    ...Object.entries(providerSecrets).map(([alias, arn]) => [['providerSecrets', alias], arn] as const),
    ...otherSecrets,
  ];
  return [
    ...findAbroad(secrets, region).map(
      ([path, home]) =>
        `The secret at ${formatPath([...settings, ...path])} is in ${home}, and the functions in ` +
        `${region} ask there alone: replicate it (aws secretsmanager replicate-secret-to-regions) and name ` +
        'the copy.',
    ),
    ...findAbroad(secretKeys, region).map(
      ([path, home]) =>
        `The key at ${formatPath([...settings, ...path])} is in ${home}, and no secret in ${region} can be ` +
        'under it: name the key of the secret that stands there (aws secretsmanager describe-secret prints ' +
        'it).',
    ),
  ];
}

/** Finds the ARNs of another region, each by its place and with its region. */
function findAbroad(
  arns: readonly PlacedArn[],
  region: string | undefined,
): [path: readonly string[], region: string][] {
  return arns.flatMap(([path, arn = '']) => {
    const home = /^arn:[\w-]+:(?:secretsmanager|kms):([a-z0-9-]+):/.exec(arn)?.[1];
    return home === undefined || region === undefined || home === region ? [] : [[path, home]];
  });
}

/** Seconds that CloudWatch evaluates at most, of an alarm whose periods are an hour or longer. */
const MAX_EVALUATION_SECONDS = 604_800;

/** Periods in a row that the alarms on ticks look at. */
export const TICK_PERIODS = 3;

/** Finds a schedule whose ticks are so rare that no alarm could be evaluated over them. */
export function findRareTicks({
  place,
  tickSeconds,
}: SettingsPlace & { readonly tickSeconds: number }): string[] {
  if (TICK_PERIODS * tickSeconds <= MAX_EVALUATION_SECONDS) return [];
  return [
    `${formatPath([...place, 'schedules', 'incremental'])} looks every ${tickSeconds} s, and ` +
      `its alarms look at ${TICK_PERIODS} ticks: CloudWatch evaluates ${MAX_EVALUATION_SECONDS} s at most. ` +
      'Give a schedule of two days or less.',
  ];
}

/** Where a token of the API says whose it is: as the stage says, or as `service.tokens` does. */
export function chooseClaimPaths(
  { service }: Pick<PipelineConfig, 'service'>,
  { claims }: Pick<ApiSection, 'claims'>,
): NonNullable<ApiSection['claims']> {
  return claims ?? service?.tokens?.claims ?? { tenant: 'tenant' };
}

/** Finds what the service behind an API could not read; nothing where the stage has none. */
export function findApiProblems(
  config: Pick<PipelineConfig, 'service' | 'sources' | 'rerankers'>,
  place: readonly string[],
  api: Pick<ApiSection, 'claims'> | undefined,
): string[] {
  return api === undefined
    ? []
    : [...findUnreadableClaims(config, place, api), ...findKeyedRerankers(config)];
}

/** Finds rerankers whose key a function would have to read from an environment of its own. */
function findKeyedRerankers({ rerankers = {} }: Pick<PipelineConfig, 'rerankers'>): string[] {
  const keyed = Object.entries(rerankers).filter(([, { key }]) => key !== undefined);
  return keyed.map(
    ([name]) =>
      `${formatPath(['rerankers', name, 'key'])} is read from a variable, and functions have none of ` +
      'yours: give a server on the network of the stage that asks for no key, or leave the reranker to ' +
      'freshet serve.',
  );
}

/**
 * Finds claims that the service cannot read behind an API.
 * The API hands each claim on as text. What stands inside of an object is not to be had of it, so
 * that a token that names its tenant there would count as a token of none.
 */
function findUnreadableClaims(
  config: Pick<PipelineConfig, 'service' | 'sources'>,
  settings: readonly string[],
  api: Pick<ApiSection, 'claims'>,
): string[] {
  const { tenant, scopes } = chooseClaimPaths(config, api);
  const place =
    api.claims === undefined && config.service?.tokens?.claims !== undefined
      ? ['service', 'tokens', 'claims']
      : [...settings, 'api', 'claims'];
  const paths: (readonly [string, string])[] = [
    [formatPath([...place, 'tenant']), tenant],
    ...(scopes === undefined ? [] : [[formatPath([...place, 'scopes']), scopes] as const]),
    ...config.sources.flatMap(({ search }, index) =>
      Object.entries(search?.claims ?? {}).map(
        ([setting, path]) => [formatPath(['sources', index, 'search', 'claims', setting]), path] as const,
      ),
    ),
  ];
  return paths
    .filter(([, path]) => path === '*' || (path.includes('.') && !path.includes('/')))
    .map(
      ([where, path]) =>
        `${where} is "${path}", which an API of AWS does not hand on: it gives claims as text, and ` +
        'nothing of what stands inside of one. Let the issuer put it into a claim of its own, with a ' +
        'name without dots or one that is a URL.',
    );
}
