import * as z from 'zod';
import { GPU_INSTANCE_TYPES, TEI_VERSIONS } from '../gpu-endpoint.ts';
import { DEFAULT_MAX_CONNECTIONS } from './deployment-settings.ts';

/**
 * A text that is not blank. Like every leaf, it says in its error what was expected.
 * `describeIssues` puts the path before that error and the value that was found behind it.
 */
export const word = (expected: string) => z.string({ error: expected }).trim().min(1, { error: expected });

const wordLike = (pattern: RegExp, expected: string) =>
  word(expected).refine(text => pattern.test(text), { error: expected });

export const wholeNumber = (least: number, most: number) => {
  const error = `expected a whole number from ${least} to ${most}`;
  return z.int({ error }).min(least, { error }).max(most, { error });
};

export const flag = z.boolean({ error: 'expected true or false' });

const IANA = 'expected an IANA time zone such as Europe/Berlin';

/** A time zone that this Node knows. */
export const timeZone = word(IANA).refine(isTimeZone, { error: IANA });

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

const instanceExpectation = `expected an instance with one GPU: ${GPU_INSTANCE_TYPES.join(', ')}`;

/**
 * The optional section `gpu` of a stage.
 * It makes an endpoint of SageMaker that serves one model of the configuration.
 */
const gpuSection = z.strictObject(
  {
    /**
     * Alias of a model whose provider is `sagemaker`.
     * The stack names the endpoint and its component by `endpointName` and
     * `inferenceComponentName`.
     */
    model: word('expected the alias of a model'),
    instanceType: z.enum(GPU_INSTANCE_TYPES, { error: instanceExpectation }).default('ml.g5.xlarge'),
    teiVersion: z
      .enum(TEI_VERSIONS, { error: `expected one of ${TEI_VERSIONS.join(', ')}` })
      .default('1.9.4'),
    /**
     * Prefix under which `freshet models publish` put the weights.
     * Undefined: only the bucket for them is made.
     */
    modelPrefix: wordLike(
      /^(\w[\w.-]*\/)*[0-9a-f]{64}\/$/,
      'expected a prefix as `freshet models publish` prints it: models/<64 hexadecimal digits>/',
    ).optional(),
    /** An existing bucket in the stage's region. Undefined: the stack makes one. */
    modelBucket: wordLike(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'expected the name of a bucket').optional(),
    /** Least number of copies. With 0, no instance runs and is billed while nobody asks. */
    minCopies: wholeNumber(0, 100).default(0),
    maxCopies: wholeNumber(1, 100).default(1),
    /**
     * Calls in flight that one copy is meant to have.
     * More calls add a copy, up to `maxCopies`.
     */
    callsPerCopy: wholeNumber(1, 1000).default(5),
  },
  { error: 'expected an object such as { model: "e5", modelPrefix: "models/…/" }' },
);

export type GpuSection = z.output<typeof gpuSection>;

const account = wordLike(/^\d{12}$/, 'expected the 12 digits of an AWS account, in quotes');
const region = wordLike(/^[a-z]{2}(-[a-z]+)+-\d$/, 'expected a region such as eu-west-1');

const idOf = (prefix: string) =>
  wordLike(new RegExp(`^${prefix}-[0-9a-f]{8,17}$`), `expected an id such as ${prefix}-0123456789abcdef0`);

const idsOf = (prefix: string) =>
  z
    .array(idOf(prefix), { error: `expected an array of ids such as ${prefix}-0123456789abcdef0` })
    .min(1, { error: `expected at least one id such as ${prefix}-0123456789abcdef0` });

const secretExpectation =
  'expected the ARN of a secret: arn:aws:secretsmanager:<region>:<account>:secret:<name>';
const secretArn = wordLike(/^arn:aws[\w-]*:secretsmanager:[\w-]+:\d{12}:secret:\S+$/, secretExpectation);
const keyArn = wordLike(
  /^arn:aws[\w-]*:kms:[\w-]+:\d{12}:key\/\S+$/,
  'expected the ARN of a KMS key: arn:aws:kms:<region>:<account>:key/<id>',
);

const zoneExpectation =
  'expected an array of zones such as ["eu-west-1a", "eu-west-1b"], one for each private subnet';

/**
 * The network of a stage, by its id or by all its attributes.
 * With attributes, synth asks AWS nothing. With `vpcId` alone the CDK looks the rest up, which
 * takes an account, a region and credentials.
 */
const vpc = z.strictObject(
  {
    vpcId: idOf('vpc'),
    availabilityZones: z
      .array(wordLike(/^[a-z]{2}(-[a-z0-9]+)+-\d[a-z]$/, zoneExpectation), { error: zoneExpectation })
      .min(1, { error: zoneExpectation })
      .optional(),
    privateSubnetIds: idsOf('subnet').optional(),
    /** One route table for each private subnet. */
    privateRouteTableIds: idsOf('rtb').optional(),
    /**
     * Creates a gateway endpoint for S3 (free) in the private route tables.
     * Leave it out where the route tables have one.
     */
    s3Endpoint: flag.default(false),
    /** Lets the functions send by IPv6, where the subnets have it. */
    ipv6: flag.default(false),
  },
  { error: 'expected an object such as { vpcId, availabilityZones, privateSubnetIds }' },
);

const database = z.strictObject(
  {
    host: wordLike(
      /^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/,
      'expected a host name, without scheme and port',
    ),
    port: wholeNumber(1, 65_535).default(5432),
    name: word('expected the name of a database'),
    /** ARN of a secret with JSON of `username` and `password`, as RDS makes it. */
    secretArn: secretArn.optional(),
    /** ARN of your own key, where one encrypts the secrets. */
    secretKeyArn: keyArn.optional(),
    iam: z
      .strictObject(
        {
          user: word('expected a database user that has rds_iam'),
          resourceId: wordLike(
            /^(cluster|db|prx)-[A-Za-z0-9]+$/,
            'expected the resource id of the cluster, instance or proxy, such as cluster-ABCDEFGHIJKL',
          ),
        },
        { error: 'expected an object such as { user, resourceId }' },
      )
      .optional(),
    securityGroupId: idOf('sg'),
    certificateAuthority: z
      .enum(['rds', 'proxy'], { error: 'expected "rds", or "proxy" where the host is an RDS Proxy' })
      .default('rds'),
    /** Connections that this stage may hold at most. */
    maxConnections: wholeNumber(1, 100_000).default(DEFAULT_MAX_CONNECTIONS),
  },
  { error: 'expected an object such as { host, name, secretArn, securityGroupId }' },
);

const scheduleExpectation = 'expected "rate(5 minutes)" or "cron(0 3 * * ? *)"';
const schedule = wordLike(
  /^(rate\([1-9]\d* (minutes?|hours?|days?)\)|cron\(\S+( \S+){5}\))$/,
  scheduleExpectation,
);

const schedules = z.strictObject(
  {
    incremental: schedule.default('rate(5 minutes)'),
    full: schedule.default('cron(0 3 * * ? *)'),
    timeZone: timeZone.default('UTC'),
  },
  { error: 'expected an object such as { incremental: "rate(5 minutes)", full: "cron(0 3 * * ? *)" }' },
);

/** The maximum concurrency of an event source. Lambda's least is 2. */
const concurrency = wholeNumber(2, 1000);

const maxConcurrency = z.strictObject(
  { fresh: concurrency.default(4), bulk: concurrency.default(8), write: concurrency.default(6) },
  { error: 'expected an object such as { fresh: 4, bulk: 8, write: 6 }' },
);

const alarms = z.strictObject(
  {
    email: z
      .array(wordLike(/^[^\s@]+@[^\s@]+$/, 'expected an address such as ops@example.com'), {
        error: 'expected an array of addresses',
      })
      .default([]),
    slack: z
      .strictObject(
        {
          workspaceId: word('expected the id of the workspace, such as T0123456789'),
          channelId: word('expected the id of the channel, such as C0123456789'),
        },
        { error: 'expected an object such as { workspaceId, channelId }' },
      )
      .optional(),
    /** The webhook's address is a secret, because whoever knows it can post. */
    webhook: z.strictObject({ secretArn }, { error: 'expected an object such as { secretArn }' }).optional(),
    budgetUsd: z
      .number({ error: 'expected US dollars per day, more than 0' })
      .gt(0, { error: 'expected US dollars per day, more than 0' })
      .optional(),
  },
  { error: 'expected an object such as { email: ["ops@example.com"] }' },
);

/** Retentions that CloudWatch Logs accepts, up to two years. */
const RETENTION_DAYS = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731] as const;
const retentionExpectation = `expected one of ${RETENTION_DAYS.join(', ')}`;
const tagExpectation = 'expected an object of texts, such as { team: "search" }';

const stage = z.strictObject(
  {
    account: account.optional(),
    region: region.optional(),
    vpc,
    database,
    /** Model alias → ARN of the secret whose string is the provider's key. */
    providerSecrets: z
      .record(word('expected an alias'), secretArn, {
        error: 'expected an object such as { openai: "arn:…" }',
      })
      .default({}),
    schedules: schedules.prefault({}),
    maxConcurrency: maxConcurrency.prefault({}),
    /** The promise: a changed row is embedded within this many minutes. */
    sloMinutes: wholeNumber(1, 10_080).default(15),
    logRetentionDays: z.literal([...RETENTION_DAYS], { error: retentionExpectation }).default(30),
    tags: z.record(word(tagExpectation), word(tagExpectation), { error: tagExpectation }).default({}),
    alarms: alarms.prefault({}),
    gpu: gpuSection.optional(),
  },
  { error: 'expected an object such as { vpc, database }' },
);

/** The settings of a stage beside the example database, which brings its own network. */
const stageSettings = stage.omit({ vpc: true, database: true });

export type StageSettings = z.output<typeof stageSettings>;

export const DEFAULT_STAGE_SETTINGS: StageSettings = stageSettings.parse({});

/**
 * The pattern of a stage's name.
 * The stack, the metrics and the names of resources contain the stage's name.
 */
export const STAGE_NAME = /^[a-z][a-z0-9-]{0,19}$/;
export const STAGE_NAME_EXPECTATION =
  'the name of a stage: lower-case letters, digits and dashes, at most 20, a letter first';

const stageName = wordLike(STAGE_NAME, `expected ${STAGE_NAME_EXPECTATION}`);

/**
 * The section `aws` of `freshet.config.ts`.
 * A stage is one deployment: one stack, one database.
 */
export const awsSection = z.strictObject(
  {
    stages: z.record(stageName, stage, {
      error: 'expected an object of stages, such as { prod: { vpc, database } }',
    }),
  },
  { error: 'expected an object such as { stages: { prod: { vpc, database } } }' },
);

export type AwsSection = z.output<typeof awsSection>;
export type AwsStage = z.output<typeof stage>;
