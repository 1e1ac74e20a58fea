import * as z from 'zod';
import { parseSettings } from './parse-settings.ts';

const text = z.string().min(1);

const sampleSettings = z.strictObject({
  stage: text,
  region: text,
  host: text,
  port: z.int().min(1).max(65_535),
  name: text,
  /** Of the database's owner, as RDS makes and rotates it. */
  ownerSecretArn: text,
  /** Of the pipeline's role, which `load` makes. */
  pipelineSecretArn: text,
});

/** What the example database's stack tells its function by the variable `FRESHET_SAMPLE` (one JSON object). */
export type SampleSettings = z.output<typeof sampleSettings>;

/** @throws FreshetError that names the key at fault, never its value. */
export function parseSampleSettings(json: string | undefined): SampleSettings {
  return parseSettings(sampleSettings, 'FRESHET_SAMPLE', json);
}
