import { createRequire } from 'node:module';
import { join } from 'node:path';
import { UsageError } from '../../core/errors.ts';

/** A package that runs ONNX models, and the file to import of it. */
export interface Runtime {
  readonly name: keyof typeof RUNTIMES;
  readonly entry: string;
}

/**
 * Packages that run ONNX models, the fastest first, with the version that was tried.
 * Neither is a dependency: the first has 290 MB, and its installation fails where the CUDA files
 * that it wants to download are out of reach. The second is WebAssembly without such a step; it
 * takes three times the processor time for the same vectors.
 */
const RUNTIMES = {
  'onnxruntime-node': '1.30.0',
  'onnxruntime-web': '1.30.0',
} as const;

/**
 * Finds an installed package that runs ONNX models, from each folder in turn.
 * @param folders where `node_modules` are looked for, as Node does: from the folder upwards
 * @throws UsageError with the line to type, where there is none
 */
export function findRuntime(folders: readonly string[] = [import.meta.dirname, process.cwd()]): Runtime {
  for (const name of Object.keys(RUNTIMES) as (keyof typeof RUNTIMES)[])
    for (const folder of folders) {
      const entry = resolveFrom(folder, name);
      if (entry !== undefined) return { name, entry };
    }
  const [native, web] = Object.entries(RUNTIMES).map(([name, version]) => `${name}@${version}`);
  throw new UsageError(
    "A model of provider 'local' needs a package that runs ONNX models, and none is installed. " +
      `Where this line fails, ${web} installs everywhere and is three times slower.`,
    `ONNXRUNTIME_NODE_INSTALL=skip npm install --save-exact ${native}`,
  );
}

/** The file of a package that `require` loads; undefined: it is not installed. */
function resolveFrom(folder: string, name: string): string | undefined {
  try {
    return createRequire(join(folder, 'package.json')).resolve(name);
  } catch {
    return undefined;
  }
}
