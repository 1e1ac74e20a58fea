import type { Metafile } from 'esbuild';
import type { HandlerBundle } from '../lib/constructs/bundling.ts';
import type { HandlerName } from '../lib/constructs/function-settings.ts';

interface BundleMeasures {
  /** Bytes that Lambda loads before it calls the handler. */
  readonly entryBytes: number;
  /** Bytes with what the first event loads besides: the wiring, the database, the queues. */
  readonly firstEventBytes: number;
  /** Files that the first event needs. Node finds, opens and links each of them. */
  readonly firstEventFiles: number;
  /**
   * Parts that are loaded only where a configuration needs them, the largest first.
   * `bytes` is what a part adds to the bytes of the first event. Data that is read is such a part.
   */
  readonly lazyParts: readonly { readonly name: string; readonly bytes: number }[];
  /** Path inside the folder of the module that the first event loads. */
  readonly wiring: string;
}

/** Bytes below which a part is not named. */
const WORTH_NAMING_BYTES = 20_000;

/**
 * Measures the minified code of a bundle, in bytes; source maps are not deployed.
 */
export function measureBundle(name: HandlerName, bundle: HandlerBundle): BundleMeasures {
  const { outputs } = bundle.metafile;
  const files = Object.keys(outputs).filter(file => file.endsWith('.mjs'));
  const entry = files.find(file => file.endsWith('/index.mjs'))!;
  const wiring = files.find(file => outputs[file]!.entryPoint === `lib/wiring/lambda-${name}.ts`)!;
  const loaded = reach(outputs, [entry, wiring]);
  const data = bundle.files
    .filter(file => !file.path.endsWith('.mjs'))
    .map(file => ({ name: partName(file.path), bytes: file.contents.byteLength }));
  const lazyParts = files
    .filter(file => outputs[file]!.entryPoint !== undefined && !loaded.has(file))
    .map(file => ({
      name: partName(outputs[file]!.entryPoint!),
      bytes: sum(
        outputs,
        [...reach(outputs, [file])].filter(part => !loaded.has(part)),
      ),
    }))
    .concat(data)
    .filter(({ bytes }) => bytes >= WORTH_NAMING_BYTES)
    .sort((left, right) => right.bytes - left.bytes);
  return {
    entryBytes: sum(outputs, reach(outputs, [entry])),
    firstEventBytes: sum(outputs, loaded),
    firstEventFiles: loaded.size,
    lazyParts,
    wiring: wiring.slice(entry.length - 'index.mjs'.length),
  };
}

/** The files and all files that they import when they are loaded. */
function reach(outputs: Metafile['outputs'], from: readonly string[]): Set<string> {
  const reached = new Set<string>();
  const waiting = [...from];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (reached.has(file)) continue;
    reached.add(file);
    for (const imported of outputs[file]!.imports)
      if (imported.kind === 'import-statement' && imported.external !== true) waiting.push(imported.path);
  }
  return reached;
}

function sum(outputs: Metafile['outputs'], files: Iterable<string>): number {
  return [...files].reduce((bytes, file) => bytes + outputs[file]!.bytes, 0);
}

/** The name of a package, or the path of a file of ours. */
function partName(entryPoint: string): string {
  return /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(entryPoint)?.[1] ?? entryPoint;
}
