import { MANIFEST_FILE } from './model-manifest.ts';

const NEEDED = ['config.json', 'tokenizer.json'] as const;

/**
 * Finds what keeps the embedding image from serving a folder: one sentence per problem.
 * `paths` are relative to the folder, with slashes.
 */
export function findMissingFiles(paths: readonly string[]): string[] {
  const problems: string[] = NEEDED.filter(name => !paths.includes(name)).map(
    name => `${name} is missing at the top of the folder.`,
  );
  if (!paths.some(path => isWeights(path) && !path.includes('/')))
    problems.push(
      'No weights as safetensors are at the top of the folder; other formats run code when they are read.',
    );
  if (paths.includes(MANIFEST_FILE))
    problems.push(
      `${MANIFEST_FILE} is a name that is written beside the files: rename yours, or publish the folder as the hub gave it.`,
    );
  return problems;
}

export function isWeights(path: string): boolean {
  return path.endsWith('.safetensors');
}
