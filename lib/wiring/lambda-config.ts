import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseConfig } from '../core/config/parse-config.ts';
import type { PipelineConfig } from '../core/config/pipeline-config.ts';
import { UsageError } from '../core/errors/usage-error.ts';

const FILE = 'freshet.config.json';

/**
 * Reads the configuration that was deployed with the code.
 * The configuration is checked again, because another version can have made the file.
 * @throws UsageError where the file is missing, is no JSON or holds no valid configuration.
 */
export async function readLambdaConfig(directory: string): Promise<PipelineConfig> {
  const text = await readFile(join(directory, FILE), 'utf8').catch(() => {
    throw new UsageError(`${FILE} does not lie beside the function's code: deploy the stack again.`);
  });
  try {
    return parseConfig(parseJson(text));
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`${FILE}: ${error.message}`, error.remedy);
    throw error;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError('is no JSON: deploy the stack again.');
  }
}
