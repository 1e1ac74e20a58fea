import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseConfig } from '../core/config/parse-config.ts';
import type { PipelineConfig } from '../core/config/pipeline-config.ts';
import { UsageError } from '../core/errors/usage-error.ts';

const FILE = 'freshet.config.json';

/** The configuration that was deployed with the code. Checked again: the file can have been made by another version. Rejects with `UsageError`. */
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
