import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { bundleHandler, writeBundle } from '../lib/constructs/bundling.ts';
import { HANDLER_NAMES, type HandlerName } from '../lib/constructs/function-settings.ts';
import { UsageError } from '../lib/core/errors.ts';
import { median } from './apparatus/measurement.ts';
import { wrapProse } from './apparatus/wrap-prose.ts';
import { measureBundle } from './measure-bundle.ts';

/**
 * Builds every handler, measures sizes and cold imports, and prints the table.
 * With `--write` the table also goes into docs/bundles.md. Few `--rounds` only show that the script
 * works.
 */
const { values: flags } = parseArgs({
  options: { write: { type: 'boolean', default: false }, rounds: { type: 'string', default: '15' } },
});
const ROUNDS = Number(flags.rounds);
if (!Number.isInteger(ROUNDS) || ROUNDS < 1)
  throw new UsageError(`--rounds ${flags.rounds} is no whole number above 0.`);

const kilobytes = (bytes: number) => Math.round(bytes / 1000);

interface ImportCost {
  readonly wallMs: number;
  readonly cpuMs: number;
}

/**
 * Measures what a fresh process takes to load the modules.
 * Node's own start is left out, because Lambda counts it apart too.
 */
function importOnce(files: readonly string[]): ImportCost {
  const script = `const began = performance.now(), used = process.cpuUsage();
    for (const file of ${JSON.stringify(files)}) await import(file);
    const wallMs = performance.now() - began, { user, system } = process.cpuUsage(used);
    process.stdout.write(JSON.stringify({ wallMs, cpuMs: (user + system) / 1000 })); process.exit(0);`;
  const nodeFlags = ['--input-type=module', '--eval', script];
  return JSON.parse(execFileSync(process.execPath, nodeFlags, { encoding: 'utf8' })) as ImportCost;
}

/**
 * Measures cold imports: least and median milliseconds, and the median of CPU milliseconds.
 * On a busy machine only the first and the last of the three say much.
 */
function describeImport(files: readonly string[]): string {
  importOnce(files);
  const rounds = Array.from({ length: ROUNDS }, () => importOnce(files));
  const wall = rounds.map(round => round.wallMs);
  const cpu = median(rounds.map(round => round.cpuMs));
  return `${Math.min(...wall).toFixed(0)}, ${median(wall).toFixed(0)}, ${cpu.toFixed(0)}`;
}

function describeRow(name: HandlerName, parent: string): string {
  const folder = path.join(parent, name);
  const bundle = bundleHandler(name);
  writeBundle(bundle, folder);
  const measures = measureBundle(name, bundle);
  const entry = [path.join(folder, 'index.mjs')];
  const everything = [...entry, path.join(folder, measures.wiring)];
  const lazy = measures.lazyParts.map(part => `${part.name} ${kilobytes(part.bytes)}`).join(', ');
  return `| ${name} | ${kilobytes(measures.entryBytes)} | ${describeImport(entry)} | ${kilobytes(measures.firstEventBytes)} | ${describeImport(everything)} | ${lazy} |`;
}

const [load = 0] = loadavg();
const parent = mkdtempSync(path.join(tmpdir(), 'freshet-bundles-'));
const rows = HANDLER_NAMES.map(name => describeRow(name, parent));
rmSync(parent, { recursive: true });
const table = [
  '| function | entry, KB | its import: least, median, CPU ms | with the first event, KB | their import: least, median, CPU ms | loaded only where needed, KB each |',
  '|---|---:|---:|---:|---:|---|',
  ...rows,
].join('\n');
process.stdout.write(`${table}\n`);
if (flags.write) {
  writeFileSync(
    path.resolve(import.meta.dirname, '../docs/bundles.md'),
    wrapProse(`# Bundles

Written by \`node bench/bench-bundles.ts --write\`; \`test/constructs/bundles.test.ts\` holds a ceiling on each size. Minified ES modules, the AWS
SDK inside, 1 KB = 1,000 bytes. Times are of ${ROUNDS} fresh processes of Node ${process.versions.node} each, on ${availableParallelism()} shared cores (${process.arch}) under a load of ${load.toFixed(1)}, not on
Lambda.

${table}

*Entry* is what Lambda loads before it calls the handler. The *first event* loads the wiring besides: database, queues, metrics. The rest is
loaded where a configuration asks for it: a provider's client, a tokenizer, the certificate authorities of RDS, other ways to find credentials. What the
tokenizer reads, \`gpt-tokenizer\`, is data in a folder of packages beside the entry.

## Source maps

They are not deployed. They were half of each asset (of \`embed\` 3.7 of 7.4 MB, zipped 0.9 of 2.2), and with \`--enable-source-maps\` Node reads the
map of every file that it loads: a cold import of the first event's files took 9 to 59 ms of CPU and 7 to 12 MB of memory more
(medians of 15 processes of each function, on 2 shared cores under a load of 15). Names of functions stand in a stack without them. The files and lines of our sources are put into a stack that a
function logged, on standard input, by a checkout of the version that was deployed:

    npm run map-stack -- embed < stack.txt

The same sources give the same bytes, so the maps of that version are made again; a file that this version does not have is named. For an installed
package add \`--packed\`.
`),
  );
}
