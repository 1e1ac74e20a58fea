import * as z from 'zod';
import { parseSettings } from './parse-settings.ts';

const text = z.string().min(1);

const sampleSettings = z.strictObject({
  stage: text,
  region: text,
  host: text,
  port: z.int().min(1).max(65_535),
  name: text,
  /** ARN of the secret of the database's owner, as RDS makes and rotates it. */
  ownerSecretArn: text,
  /** ARN of the secret of the pipeline's role, which `load` creates. */
  pipelineSecretArn: text,
});

/**
 * The settings in the variable `FRESHET_SAMPLE`, one JSON object.
 * The stack of the example database writes them for its function.
 */
export type SampleSettings = z.output<typeof sampleSettings>;

/**
 * Parses the variable `FRESHET_SAMPLE`.
 * @throws FreshetError `bad_deployment_settings`; names the keys at fault, never their values
 */
export function parseSampleSettings(json: string | undefined): SampleSettings {
  return parseSettings(sampleSettings, 'FRESHET_SAMPLE', json);
}
