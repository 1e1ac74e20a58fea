import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createLambda as createDetect } from '../../functions/detect/handler.ts';
import { createLambda as createEmbed } from '../../functions/embed/handler.ts';
import { createLambda as createMigrate } from '../../functions/migrate/handler.ts';
import { createLambda as createWrite } from '../../functions/write/handler.ts';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { openTestDatabase } from '../database/open-test-database.ts';
import {
  createRows,
  embedEverything,
  expectEverythingEmbedded,
  type Functions,
  misbehave,
} from '../deployments/embed-everything.ts';
import { type Deployment, describeConfig, openDeployment } from '../deployments/open-deployment.ts';
import { pathTo, recordSpans } from '../doubles/recorded-spans.ts';
import { makeContext } from '../factories/lambda-event.ts';

const DIMENSIONS = 16;
const ROWS = 400;
/** What every text of the rows has, and the key of the provider. */
const SECRETS = ['summary of', 'title ', 'POISON', 'sk-of-the-deployment'];

let recorded: ReturnType<typeof recordSpans>;
let deployment: Deployment;
let database: SqlDatabase;
let directory: string;
let functions: Functions;

beforeAll(() => {
  recorded = recordSpans();
});
afterAll(() => recorded.stop());
beforeEach(async () => {
  deployment = await openDeployment({ dimensions: DIMENSIONS });
  database = await openTestDatabase({ migrated: false });
  directory = mkdtempSync(path.join(tmpdir(), 'freshet-traced-'));
  const config = describeConfig(deployment.provider, DIMENSIONS);
  writeFileSync(path.join(directory, 'freshet.config.json'), JSON.stringify(config));
  const dependencies = {
    variables: deployment.variables,
    directory,
    writeLine: () => undefined,
    openDatabase: async () => ({ ...database, close: async () => {} }),
  };
  functions = {
    migrate: createMigrate(dependencies),
    detect: createDetect(dependencies),
    embed: createEmbed(dependencies),
    write: createWrite(dependencies),
  };
  await createRows(database, ROWS);
});
afterEach(async () => {
  await deployment.close();
  await database.close();
  rmSync(directory, { recursive: true });
});

test('the deployed functions make one trace from detect to write over SQS, sent by the end of each event', async () => {
  await functions.migrate({}, makeContext());
  misbehave(deployment);

  await embedEverything(deployment, functions);

  await expectEverythingEmbedded(database, deployment, DIMENSIONS);
  const spans = recorded.spans();
  const writes = spans.filter(({ name }) => name === 'write ai_items');
  const paths = writes.map(span => pathTo(spans, span));
  const whole = ['detect ai_items', 'dispatch ai_items', 'embed ai_items', 'write ai_items'];
  expect(writes.length).toBeGreaterThan(0);
  expect(paths).toEqual(paths.map(() => whole));
  expect(writes.map(({ links }) => links.length)).toEqual(writes.map(() => 1));
  const calls = spans.filter(({ name }) => name === 'embeddings served-model');
  expect(calls.map(span => pathTo(spans, span)[2])).toEqual(calls.map(() => 'embed ai_items'));
  expect(calls.some(({ attributes }) => attributes['error.type'] === 'http_400')).toBe(true);
});

test('no span of the deployed functions holds a text of a row or a key', async () => {
  await functions.migrate({}, makeContext());
  misbehave(deployment);

  await embedEverything(deployment, functions);

  const said = recorded
    .spans()
    .map(({ name, attributes, events, links, status, resource }) => [
      ...[name, attributes, events, links, status, resource.attributes],
    ]);
  const printed = JSON.stringify(said);
  expect(said.length).toBeGreaterThan(10);
  expect(SECRETS.filter(secret => printed.includes(secret))).toEqual([]);
});
