import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { brotliCompressSync, constants } from 'node:zlib';
import type * as Migrate from '../../lib/adapters/sql/migrations/migrate.ts';
import type * as Bundling from '../../lib/constructs/bundling.ts';
import { ARCHIVED_FUNCTIONS, type FunctionArchive, placeOfArchive } from './older-functions.ts';

/**
 * Archives the functions of a checkout, as its own bundling makes them for a deployment.
 * A clone of this repository may have no history, so older code must lie in it. Started by hand,
 * once for a version whose schema was released:
 *
 *     node test/deployments/archive-functions.ts <folder of that version's checkout, with its packages>
 */

/**
 * Files that no test of older code loads: what the tokenizer loads or reads for a text over the
 * model's limit, and the authorities of RDS. A test that came to need one would fail at its import.
 */
const LEFT_OUT = /^chunks\/(cl100k_base|o200k_base|lib)-|^node_modules\//;

const root = path.resolve(process.argv[2] ?? '.');
const load = async <Module>(file: string): Promise<Module> =>
  import(pathToFileURL(path.join(root, file)).href);
const { bundleHandler } = await load<typeof Bundling>('lib/constructs/bundling.ts');
const { NEEDED_VERSION } = await load<typeof Migrate>('lib/adapters/sql/migrations/migrate.ts');
const changed = execFileSync(
  'git',
  ['status', '--porcelain', '--', 'lib', 'functions', 'package-lock.json'],
  {
    cwd: root,
    encoding: 'utf8',
  },
);
if (changed !== '') throw new Error(`The checkout has changes of its own:\n${changed}`);
const commit = execFileSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim();
const files = ARCHIVED_FUNCTIONS.flatMap(name =>
  bundleHandler(name)
    .files.filter(file => !LEFT_OUT.test(file.path))
    .map(file => [`${name}/${file.path}`, Buffer.from(file.contents).toString('utf8')] as const),
);
const archive: FunctionArchive = { schemaVersion: NEEDED_VERSION, commit, files: Object.fromEntries(files) };
const plain = Buffer.from(JSON.stringify(archive));
const packed = brotliCompressSync(plain, {
  params: {
    [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
    [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
  },
});
const place = placeOfArchive(NEEDED_VERSION);
writeFileSync(place, packed);
process.stdout.write(
  `${path.basename(place)}: schema version ${NEEDED_VERSION}, commit ${commit}, ${files.length} files of ` +
    `${plain.length} bytes, packed ${packed.length}, SHA-256 ${createHash('sha256').update(packed).digest('hex')}\n`,
);
