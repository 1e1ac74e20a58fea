import * as z from 'zod';
import { GPU_INSTANCE_TYPES, TEI_VERSIONS } from '../gpu-endpoint.ts';
import { apiSection } from './api-schema.ts';
import { DEFAULT_MAX_CONNECTIONS } from './deployment-settings.ts';
import {
  account,
  flag,
  givenSecret,
  idOf,
  idsOf,
  keyArn,
  keyedSecret,
  region,
  schedule,
  secretArn,
  timeZone,
  wholeNumber,
  word,
  wordLike,
} from './leaf-schemas.ts';

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
    /**
     * Creates interface endpoints (paid by the hour) for what the functions call of AWS: SQS,
     * Secrets Manager, Lambda, and SageMaker where a model is there. Leave it out where the network
     * has a NAT or these endpoints.
     */
    endpoints: flag.default(false),
    /**
     * Lets the functions send by IPv6, where the subnets have it, to a provider that has it.
     * The hosts of SQS and Secrets Manager are IPv4 only: they take a NAT or `endpoints`.
     */
    ipv6: flag.default(false),
  },
  { error: 'expected an object such as { vpcId, availabilityZones, privateSubnetIds }' },
);

const authorityExpectation =
  'expected "rds", "proxy" where the host is an RDS Proxy, "public" where browsers know the authority, ' +
  "or { pem: 'path/to/authority.pem' }";

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
    /** ARN of your own key, where one encrypts this secret and those that name no key. */
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
    /** Gets the rule that lets the functions in. Undefined: the database is outside of the VPC. */
    securityGroupId: idOf('sg').optional(),
    certificateAuthority: z
      .union([z.enum(['rds', 'proxy', 'public']), z.strictObject({ pem: word(authorityExpectation) })], {
        error: authorityExpectation,
      })
      .default('rds'),
    /** Connections that this stage may hold at most. */
    maxConnections: wholeNumber(1, 100_000).default(DEFAULT_MAX_CONNECTIONS),
  },
  { error: 'expected an object such as { host, name, secretArn }' },
);

const modeName = word('expected the name of a mode, such as "maintenance"');

const schedules = z.strictObject(
  {
    incremental: schedule.default('rate(5 minutes)'),
    full: schedule.default('cron(0 3 * * ? *)'),
    timeZone: timeZone.default('UTC'),
    /** Sources with a schedule of their own for edits, in place of `incremental`. */
    sources: z
      .record(word('expected the name of a source'), schedule, {
        error: 'expected an object such as { articles: "rate(1 minute)" }',
      })
      .default({}),
    /** Modes of ticks: for edits, for walks, and for sources with a schedule of their own. */
    modes: z
      .strictObject(
        {
          incremental: modeName.optional(),
          full: modeName.optional(),
          sources: z
            .record(word('expected the name of a source'), modeName, {
              error: 'expected an object such as { articles: "maintenance" }',
            })
            .default({}),
        },
        { error: 'expected an object such as { full: "maintenance" }' },
      )
      .prefault({}),
  },
  { error: 'expected an object such as { incremental: "rate(5 minutes)", full: "cron(0 3 * * ? *)" }' },
);

/** The maximum concurrency of an event source. Lambda's least is 2. */
const concurrency = wholeNumber(2, 1000);

const maxConcurrency = z
  .strictObject(
    {
      fresh: concurrency.optional(),
      bulk: concurrency.optional(),
      /** Of all queues of all models together, in place of `fresh` and `bulk`. */
      embed: wholeNumber(4, 10_000).optional(),
      write: concurrency.optional(),
    },
    { error: 'expected an object such as { fresh: 4, bulk: 8, write: 6 }' },
  )
  .refine(({ fresh, bulk, embed }) => embed === undefined || (fresh === undefined && bulk === undefined), {
    error: 'embed bounds the queues of all models together: give it alone, or fresh and bulk of each model',
  });

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
    webhook: keyedSecret.optional(),
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

/** A stage: where one deployment goes, and how it works there. */
export const awsStage = z.strictObject(
  {
    account: account.optional(),
    region: region.optional(),
    vpc,
    database,
    /** Model alias → the secret whose string is the provider's key. */
    providerSecrets: z
      .record(word('expected an alias'), givenSecret, {
        error: 'expected an object such as { openai: "arn:…" }',
      })
      .default({}),
    schedules: schedules.prefault({}),
    maxConcurrency: maxConcurrency.default({}),
    /** The promise: a changed row is embedded within this many minutes. */
    sloMinutes: wholeNumber(1, 10_080).default(15),
    logRetentionDays: z.literal([...RETENTION_DAYS], { error: retentionExpectation }).default(30),
    tags: z.record(word(tagExpectation), word(tagExpectation), { error: tagExpectation }).default({}),
    alarms: alarms.prefault({}),
    gpu: gpuSection.optional(),
    api: apiSection.optional(),
  },
  { error: 'expected an object such as { vpc, database }' },
);

/** The settings of a stage beside the example database, which brings its own network. */
const stageSettings = awsStage.omit({ vpc: true, database: true });

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
    stages: z.record(stageName, awsStage, {
      error: 'expected an object of stages, such as { prod: { vpc, database } }',
    }),
  },
  { error: 'expected an object such as { stages: { prod: { vpc, database } } }' },
);

export type AwsSection = z.output<typeof awsSection>;
export type AwsStage = z.output<typeof awsStage>;
