import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The folder that `.ci/local-model` prints. */
const place = process.env.LOCAL_MODEL ?? '';

export const MODEL_FOLDER = join(place, 'model');

/** The folder in which a package that runs models is installed. */
export const runtimeFolder = (runtime: 'native' | 'web') => join(place, runtime);

export const python = join(place, 'python/bin/python');

export const pythonProgram = (name: string) => join(place, 'python/bin', name);

/** The graph with its weights as int8, or as the floats that were published. */
export type Weights = 'model.onnx' | 'fp32.onnx';

/** What a configuration says of the real model, all-MiniLM-L6-v2. */
export function describeRealModel(weights: Weights = 'model.onnx') {
  const digestOf = (name: string) =>
    createHash('sha256')
      .update(readFileSync(join(MODEL_FOLDER, name)))
      .digest('hex');
  return {
    provider: 'local' as const,
    modelId: 'sentence-transformers/all-MiniLM-L6-v2',
    modelFolder: MODEL_FOLDER,
    files: Object.fromEntries([weights, 'tokenizer.json'].map(name => [name, digestOf(name)])),
  };
}

/** Runs a script of this folder with the Python of the suite; gives what it prints. */
export function runPython(script: string, input: unknown, words: readonly string[] = []): string {
  return execFileSync(python, ['-B', join(import.meta.dirname, script), ...words], {
    input: JSON.stringify(input),
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
}
