import * as z from 'zod';
import { UsageError } from '../errors.ts';
import { DOCS } from '../own-command.ts';
import { awsStage, STAGE_NAME, STAGE_NAME_EXPECTATION } from './aws-schema.ts';
import { type ConfigProblem, describeIssues, formatPath, valueAt } from './describe-issues.ts';
import { flag, wordLike } from './leaf-schemas.ts';
import { problemsError } from './parse-config.ts';
import type { PipelineConfig } from './pipeline-config.ts';
import { findAliasProblems, findDatabaseProblems } from './stages.ts';

/** A construct, or another object that only the CDK can judge. */
const made = (expected: string) =>
  z.custom<object>(value => typeof value === 'object' && value !== null, { error: expected });

const key = made('expected a key of KMS, an IKey').optional();

/** Retentions of `RetentionDays`; the last one stands for ever. */
const RETENTION_DAYS = [
  ...[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731],
  ...[1096, 1827, 2192, 2557, 2922, 3288, 3653, 9999],
];

const { database, alarms, ...ofStage } = awsStage.shape;

/**
 * The props of an `EmbeddingPipeline`.
 * What a stage of the configuration has as well is judged as there.
 */
const pipelineProps = z.strictObject({
  config: z.unknown(),
  vpc: made('expected the network of the functions, an IVpc such as Vpc.fromLookup(…) makes'),
  database: database
    .omit({ securityGroupId: true })
    .extend({ securityGroup: made('expected a security group, an ISecurityGroup').optional() }),
  stage: wordLike(STAGE_NAME, `expected ${STAGE_NAME_EXPECTATION}`).optional(),
  vpcSubnets: made('expected an object such as { subnetType: SubnetType.PRIVATE_WITH_EGRESS }').optional(),
  ipv6: flag.optional(),
  endpoints: flag.optional(),
  providerSecrets: ofStage.providerSecrets,
  schedules: ofStage.schedules,
  maxConcurrency: ofStage.maxConcurrency,
  sloMinutes: ofStage.sloMinutes,
  alarms: alarms
    .unwrap()
    .extend({ topic: made('expected a topic of SNS, an ITopic').optional() })
    .optional(),
  encryptionKeys: z
    .strictObject(
      { queues: key, claims: key, logs: key, environment: key },
      { error: 'expected an object such as { queues: key }' },
    )
    .optional(),
  removeClaims: flag.optional(),
  inferenceComponentName: wordLike(/\S/, 'expected the name of an inference component').optional(),
  api: ofStage.api,
  logRetention: z
    .literal(RETENTION_DAYS, { error: 'expected days as RetentionDays has them, such as 30' })
    .optional(),
  paused: flag.optional(),
  assets: made('expected an object with codeOf').optional(),
});

/** What of the props only their configuration can judge. */
interface PropsOfModels {
  readonly providerSecrets?: Readonly<Record<string, unknown>> | undefined;
  readonly inferenceComponentName?: string | undefined;
}

/**
 * Refuses props of an `EmbeddingPipeline` that could not be deployed, or not work.
 * @param name the path of the construct
 * @param isToken whether a value is known only to the deployment, and cannot be judged
 * @throws UsageError lists every prop at fault: what was expected there and the nearest valid word
 */
export function requireProps(props: unknown, name: string, isToken: (value: unknown) => boolean): void {
  const parsed = pipelineProps.safeParse(props);
  const issues = findKnownFaults(parsed.error?.issues ?? [], props, isToken);
  const problems = describeIssues(issues, pipelineProps, props);
  if (problems.length === 0) problems.push(...findUntrimmed(props, [], isToken));
  const given = valueAt(props, ['database']);
  if (problems.length === 0) problems.push(...findDatabaseProblems({ database: Object(given) }, []));
  refuse(name, problems);
}

type Issue = z.core.$ZodIssue;

/** Whether an issue is about what an object has inside, and not about its being one. */
const isInside = ({ path, code }: Issue) => path.length > 0 || code === 'unrecognized_keys';

/**
 * Finds the faults that can be judged before the deployment: those at a value that is no token.
 * Of several forms the one that an object was meant for is judged, key by key.
 */
function findKnownFaults(
  issues: readonly Issue[],
  props: unknown,
  isToken: (value: unknown) => boolean,
): Issue[] {
  return issues.flatMap(issue => {
    const found = valueAt(props, issue.path);
    if (isToken(found)) return [];
    if (issue.code !== 'invalid_union' || typeof found !== 'object') return [issue];
    const meant = issue.errors.find(form => form.every(isInside));
    if (meant === undefined) return [issue];
    const inside = meant.map(each => ({ ...each, path: [...issue.path, ...each.path] }));
    return findKnownFaults(inside, props, isToken);
  });
}

/**
 * Finds texts with blanks at an end, which a stage is deployed without and props would not be.
 * What is no plain object, as a construct, is not looked into, nor is the configuration.
 */
function findUntrimmed(
  value: unknown,
  path: readonly PropertyKey[],
  isToken: (value: unknown) => boolean,
): ConfigProblem[] {
  if (typeof value === 'string' && value !== value.trim() && !isToken(value))
    return [{ path: formatPath(path), message: 'has blanks or a line break at an end; leave them out' }];
  const isPlain = Array.isArray(value) || (value && Object.getPrototypeOf(value) === Object.prototype);
  if (!isPlain) return [];
  return Object.entries(value as object).flatMap(([key, inside]) =>
    key === 'config' && path.length === 0
      ? []
      : findUntrimmed(inside, [...path, Array.isArray(value) ? Number(key) : key], isToken),
  );
}

/**
 * Refuses props that name a model which the configuration does not have.
 * @throws UsageError lists every prop at fault with the models that there are
 */
export function requireKnownModels(
  { providerSecrets = {}, inferenceComponentName }: PropsOfModels,
  { models }: Pick<PipelineConfig, 'models'>,
  name: string,
  isToken: (value: unknown) => boolean,
): void {
  const problems = findAliasProblems({ providerSecrets }, [], Object.keys(models));
  const components = Object.values(models).flatMap(model => model.inferenceComponentName ?? []);
  const isServed = inferenceComponentName === undefined || components.includes(inferenceComponentName);
  if (!isServed && !isToken(inferenceComponentName) && !components.some(isToken))
    problems.push({
      path: 'inferenceComponentName',
      message:
        `"${inferenceComponentName}" serves no model of the configuration (known: ` +
        `${components.join(', ') || 'none'}); name it at the model too, or leave the prop out`,
    });
  refuse(name, problems);
}

function refuse(name: string, problems: readonly ConfigProblem[]): void {
  if (problems.length === 0) return;
  const { message } = problemsError(problems, undefined, `EmbeddingPipeline ${name}`);
  throw new UsageError(message, `${DOCS}/deployment.md#in-a-stack-of-your-own lists the props.`);
}
