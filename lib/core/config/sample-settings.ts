import * as z from 'zod';
import { FreshetError } from '../errors/freshet-error.ts';

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
  const parsed = sampleSettings.safeParse(parseJson(json));
  if (parsed.success) return parsed.data;
  const paths = parsed.error.issues.map(issue => issue.path.join('.') || 'FRESHET_SAMPLE');
  throw new FreshetError(
    `FRESHET_SAMPLE is not what this version expects (at ${[...new Set(paths)].join(', ')}): deploy the stack again.`,
    { failureClass: 'stop', code: 'bad_deployment_settings' },
  );
}

function parseJson(json: string | undefined): unknown {
  try {
    return JSON.parse(json ?? '');
  } catch {
    return undefined;
  }
}
