import { SourceMap } from 'node:module';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { bundleHandler, OUTPUT } from '../../lib/constructs/bundling.ts';
import { HANDLER_NAMES, type HandlerName } from '../../lib/constructs/function-settings.ts';

const USAGE = `Usage: npm run map-stack -- ${HANDLER_NAMES.join(' | ')} [--packed] < stack.txt

Puts files and lines of the sources into a stack that a function logged.
Check out the version that was deployed; --packed is for a function of an installed package.`;

/** A place in a file of a bundle, with whatever folder or URL before it. */
const PLACE = /[^\s()"]*?((?:chunks\/)?[\w.-]+\.mjs):(\d+):(\d+)/g;

/**
 * Prints a stack of a function with the places in the sources.
 * The maps are made again from these sources, which give the same bytes as when they were deployed.
 * The name of a chunk holds a hash of it, so a chunk of another version is not found, and is named.
 */
async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { packed: { type: 'boolean', default: false } },
  });
  const name = HANDLER_NAMES.find(known => known === positionals[0]);
  if (name === undefined || positionals.length !== 1) {
    process.stderr.write(`${USAGE}\n`);
    process.exitCode = 2;
    return;
  }
  const maps = readMaps(name, values.packed);
  const unknown = new Set<string>();
  const mapped = (await text(process.stdin)).replaceAll(PLACE, (written, file, row, column) => {
    const map = maps.get(file);
    if (map === undefined) unknown.add(file);
    const origin = map?.findEntry(Number(row) - 1, Number(column) - 1);
    if (origin === undefined || !('originalSource' in origin)) return written;
    const source = path.posix.join(OUTPUT, name, path.posix.dirname(file), origin.originalSource);
    return `${source}:${origin.originalLine + 1}:${origin.originalColumn + 1}`;
  });
  process.stdout.write(mapped);
  if (unknown.size === 0) return;
  process.stderr.write(
    `Not in the bundle of ${name} here: ${[...unknown].join(', ')}. ` +
      'Check out the version that was deployed.\n',
  );
  process.exitCode = 1;
}

/** Path of a file of the bundle → its map. */
function readMaps(name: HandlerName, packed: boolean): ReadonlyMap<string, SourceMap> {
  const { maps } = bundleHandler(name, packed);
  return new Map(
    maps.map(({ path: file, contents }) => [
      file.slice(0, -'.map'.length),
      new SourceMap(JSON.parse(Buffer.from(contents).toString())),
    ]),
  );
}

await main();
