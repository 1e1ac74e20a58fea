import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import type { Context } from 'aws-lambda';
import type { FreshetConfig } from '../../lib/core/config/config-schema.ts';

const requireModule = createRequire(import.meta.url);

/** What an archive holds: those that touch the database at each event, and `migrate`. */
export const ARCHIVED_FUNCTIONS = ['migrate', 'detect', 'embed', 'write', 'guard'] as const;

type ArchivedName = (typeof ARCHIVED_FUNCTIONS)[number];

/** Functions of an older version, as they were deployed. `test/fixtures/older-code` says from where. */
export interface FunctionArchive {
  /** Version of schema `freshet` that the functions need. */
  readonly schemaVersion: number;
  readonly commit: string;
  /** Path of a file, which begins with the function's name → its text. */
  readonly files: Readonly<Record<string, string>>;
}

const FOLDER = path.join(import.meta.dirname, '../fixtures/older-code');

/** The file of an archive, by the schema version that its functions need. */
export const placeOfArchive = (schemaVersion: number): string =>
  path.join(FOLDER, `functions-${schemaVersion}.json.br`);

/** The schema versions of which there is an archive. */
export const listArchives = (): number[] =>
  readdirSync(FOLDER)
    .flatMap(name => Number(/^functions-(\d+)\.json\.br$/.exec(name)?.[1] ?? []))
    .filter(version => version > 0);

export function readArchive(schemaVersion: number): FunctionArchive {
  return JSON.parse(brotliDecompressSync(readFileSync(placeOfArchive(schemaVersion))).toString('utf8'));
}

/**
 * Unpacks an archive's functions into a folder, beside the configuration that they shipped with.
 * A version freezes its environment, so each invocation sees `variables` and not what the test's
 * process has for newer code.
 */
export function unpackFunctions(
  { files }: FunctionArchive,
  config: FreshetConfig,
  variables: Readonly<Record<string, string>>,
) {
  const folder = mkdtempSync(path.join(tmpdir(), 'freshet-older-'));
  for (const [file, text] of Object.entries(files)) {
    const target = path.join(folder, file);
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, text);
  }
  for (const name of ARCHIVED_FUNCTIONS)
    writeFileSync(path.join(folder, name, 'freshet.config.json'), JSON.stringify(config));
  return {
    /** Loads a function with Node itself, as Lambda does. `Module` is the type of today's sources. */
    load: <Event, Result>(name: ArchivedName): ((event: Event, context: Context) => Promise<Result>) => {
      const { handler } = requireModule(path.join(folder, name, 'index.mjs'));
      const frozen = { ...variables, LAMBDA_TASK_ROOT: path.join(folder, name) };
      return (event, context) => withVariables(frozen, () => handler(event, context));
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

async function withVariables<Result>(
  variables: Readonly<Record<string, string>>,
  act: () => Promise<Result>,
): Promise<Result> {
  const before = Object.keys(variables).map(name => [name, process.env[name]] as const);
  Object.assign(process.env, variables);
  try {
    return await act();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}
