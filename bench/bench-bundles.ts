import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { bundleHandler, type HandlerBundle } from '../lib/constructs/bundle-handler.ts';
import { FUNCTION_NAMES, type FunctionName } from '../lib/constructs/function-settings.ts';
import { measureBundle } from '../lib/constructs/measure-bundle.ts';

/** Builds every handler, measures sizes and cold imports, prints the table, and with --write puts it into docs/bundles.md. */
const ROUNDS = 15;

const kilobytes = (bytes: number) => Math.round(bytes / 1000);

function median(values: readonly number[]): number {
  return [...values].sort((left, right) => left - right)[Math.floor(values.length / 2)]!;
}

/** Milliseconds that a fresh process takes to load the modules: Node's own start is apart, as it is in Lambda. */
function importMs(files: readonly string[]): number {
  const script = `const began = performance.now();
    for (const file of ${JSON.stringify(files)}) await import(file);
    process.stdout.write(String(performance.now() - began)); process.exit(0);`;
  const flags = ['--enable-source-maps', '--input-type=module', '--eval', script];
  return Number(execFileSync(process.execPath, flags, { encoding: 'utf8' }));
}

function writeBundle(folder: string, bundle: HandlerBundle): void {
  for (const file of bundle.files) {
    const target = path.join(folder, file.path);
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, file.contents);
  }
}

function describeRow(name: FunctionName, parent: string): string {
  const folder = path.join(parent, name);
  const bundle = bundleHandler(name);
  writeBundle(folder, bundle);
  const measures = measureBundle(name, bundle);
  const entry = [path.join(folder, 'index.mjs')];
  const everything = [...entry, path.join(folder, measures.wiring)];
  importMs(everything);
  const cold = median(Array.from({ length: ROUNDS }, () => importMs(entry)));
  const first = median(Array.from({ length: ROUNDS }, () => importMs(everything)));
  const lazy = measures.lazyParts.map(part => `${part.name} ${kilobytes(part.bytes)}`).join(', ');
  return `| ${name} | ${kilobytes(measures.entryBytes)} | ${cold.toFixed(0)} | ${kilobytes(measures.firstEventBytes)} | ${first.toFixed(0)} | ${lazy} |`;
}

const parent = mkdtempSync(path.join(tmpdir(), 'freshet-bundles-'));
const rows = FUNCTION_NAMES.map(name => describeRow(name, parent));
rmSync(parent, { recursive: true });
const table = [
  '| function | entry, KB | its import, ms | with the first event, KB | their import, ms | loaded only where needed, KB each |',
  '|---|---:|---:|---:|---:|---|',
  ...rows,
].join('\n');
process.stdout.write(`${table}\n`);
if (process.argv.includes('--write')) {
  writeFileSync(
    path.resolve(import.meta.dirname, '../docs/bundles.md'),
    `# Bundles

Written by \`node bench/bench-bundles.ts --write\`; \`test/constructs/bundles.test.ts\` holds a ceiling on each size. Minified ES modules, the AWS
SDK inside, 1 KB = 1,000 bytes. Times are medians of ${ROUNDS} fresh processes of Node ${process.versions.node} on ${availableParallelism()} shared cores (${process.arch}), not on Lambda.

${table}

*Entry* is what Lambda loads before it calls the handler. The *first event* loads the wiring besides: database, queues, metrics. The rest is
loaded where a configuration asks for it: a provider's client, a tokenizer, the certificate authorities of RDS, other ways to find credentials.
`,
  );
}
