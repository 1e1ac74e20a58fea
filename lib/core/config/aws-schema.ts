import * as z from 'zod';
import { gpuSection } from './gpu-schema.ts';
import { DEFAULT_MAX_CONNECTIONS } from './lambda-connections.ts';
import { flag, timeZone, wholeNumber, word, wordLike } from './schema-leaves.ts';

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
