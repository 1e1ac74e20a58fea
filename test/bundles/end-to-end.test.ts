import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type * as Detect from '../../functions/detect/handler.ts';
import type * as Embed from '../../functions/embed/handler.ts';
import type * as Migrate from '../../functions/migrate/handler.ts';
import type * as Write from '../../functions/write/handler.ts';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { FUNCTION_NAMES, type FunctionName } from '../../lib/constructs/function-settings.ts';
import type { FreshetConfig } from '../../lib/core/config/config-schema.ts';
import { openTestDatabase } from '../database/open-test-database.ts';
import {
  createRows,
  embedEverything,
  expectEverythingEmbedded,
  type Functions,
  misbehave,
} from '../deployments/embed-everything.ts';
import { type Deployment, describeConfig, openDeployment } from '../deployments/open-deployment.ts';
import { synthesiseHandlers } from '../deployments/synthesised-handlers.ts';
import { makeContext } from '../factories/lambda-event.ts';

const ROWS = 5_000;
/** The synthesis and the run take some 10 seconds of CPU each, and minutes where ten other suites want the processors too. */
const TIMEOUT_MS = 300_000;
const DIMENSIONS = 1536;

let deployment: Deployment;
let database: SqlDatabase;
let config: FreshetConfig;
let built: ReturnType<typeof synthesiseHandlers>;
let functions: Functions;
const lines: string[] = [];

beforeAll(async () => {
  deployment = await openDeployment({ dimensions: DIMENSIONS });
  database = await openTestDatabase({ migrated: false });
  config = describeConfig(deployment.provider, DIMENSIONS);
  built = synthesiseHandlers({
    ...config,
    database: { url: 'postgres://app:hunter2@db.example.com/app', viewSchema: 'embeddings' },
  });
  // The assets are the ones that are deployed; only the database is the embedded one.
  const around = (name: FunctionName) => ({
    variables: deployment.variables,
    directory: built.folderOf(name),
    writeLine: (line: string) => void lines.push(line),
    openDatabase: async () => ({ ...database, close: async () => {} }),
  });
  functions = {
    migrate: built.load<typeof Migrate>('migrate').createLambda(around('migrate')),
    detect: built.load<typeof Detect>('detect').createLambda(around('detect')),
    embed: built.load<typeof Embed>('embed').createLambda(around('embed')),
    write: built.load<typeof Write>('write').createLambda(around('write')),
  };
}, TIMEOUT_MS);
afterAll(async () => {
  await deployment.close();
  built.remove();
});

test('the assets are a folder for each function: the entry, its parts and the configuration, without where the database is', () => {
  expect([...built.shipped.keys()].sort()).toEqual([...FUNCTION_NAMES].sort());
  for (const [name, text] of built.shipped) {
    const { models, ...shipped } = JSON.parse(text);
    const files = readdirSync(built.folderOf(name as FunctionName), { recursive: true, encoding: 'utf8' });
    expect(files).toEqual(expect.arrayContaining(['chunks', 'freshet.config.json', 'index.mjs']));
    expect(files.filter(file => file.endsWith('.map'))).toEqual([]);
    expect(shipped).toEqual({ sources: config.sources, database: { viewSchema: 'embeddings' } });
    expect(models.served).toEqual({ ...config.models!.served, baseUrl: 'https://models.example.com/v1' });
  }
  expect(readFileSync(path.join(built.assembly, '.gitignore'), 'utf8').trim()).toBe('*');
});

test('the synthesised functions embed every row through queues and bucket, and only what nobody can read is dead', {
  timeout: TIMEOUT_MS,
}, async () => {
  await createRows(database, ROWS);
  await functions.migrate({}, makeContext());
  misbehave(deployment);

  const polls = await embedEverything(deployment, functions);

  await expectEverythingEmbedded(database, deployment, DIMENSIONS);
  expect(polls.some(({ partial }) => partial)).toBe(true);
  expect(polls.some(({ threw }) => threw)).toBe(false);
  const callsBefore = deployment.provider.callCount;
  const again = await functions.detect({ pass: 'reconcile' }, makeContext());
  expect(again.spaces).toMatchObject([{ leased: 0, passEnded: true }]);
  expect(deployment.provider.callCount).toBe(callsBefore);
});

test('every line that they wrote is one JSON object, without a text of a row or the key', () => {
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines) expect(typeof JSON.parse(line)).toBe('object');
  expect(lines.join('\n')).not.toMatch(/title \d|summary of|POISON|sk-of-the-deployment/);
});
