import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { DatabaseBehindTls } from '../database/database-behind-tls.ts';
import {
  createRows,
  embedEverything,
  expectEverythingEmbedded,
  type Functions,
  loadFunctions,
  misbehave,
} from '../deployments/embed-everything.ts';
import { type Deployment, describeConfig } from '../deployments/open-deployment.ts';
import { openDeploymentBehindTls } from '../deployments/open-deployment-behind-tls.ts';
import { synthesiseHandlers } from '../deployments/synthesised-handlers.ts';
import { makeContext } from '../factories/lambda-event.ts';

const ROWS = 5_000;
const DIMENSIONS = 1536;

let behindTls: DatabaseBehindTls;
let deployment: Deployment;
let built: ReturnType<typeof synthesiseHandlers>;
let functions: Functions;
let lines: string[];

beforeAll(async () => {
  ({ behindTls, deployment } = await openDeploymentBehindTls(DIMENSIONS));
  built = synthesiseHandlers(describeConfig(deployment.provider, DIMENSIONS));
  vi.stubEnv('LAMBDA_TASK_ROOT', built.folderOf('migrate'));
  lines = [];
  vi.spyOn(process.stdout, 'write').mockImplementation(chunk => lines.push(String(chunk)) > 0);
  functions = loadFunctions(built.load);
});
afterAll(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  await deployment.close();
  await behindTls.close();
  built.remove();
});

/** The exports that Lambda invokes, with nothing given but the environment: TLS, secrets, queues, bucket and provider are real or a server's. */
test('the synthesised handlers embed every row, each with one connection, and a second tick finds nothing', async () => {
  await createRows(behindTls.database, ROWS);
  await functions.migrate({}, makeContext());
  misbehave(deployment);

  const polls = await embedEverything(deployment, functions);

  await expectEverythingEmbedded(behindTls.database, deployment, DIMENSIONS);
  expect(polls.some(({ partial }) => partial)).toBe(true);
  expect(polls.some(({ threw }) => threw)).toBe(false);
  const callsBefore = deployment.provider.callCount;
  const again = await functions.detect({ pass: 'reconcile' }, makeContext());
  expect(again.spaces).toMatchObject([{ leased: 0, passEnded: true }]);
  expect(deployment.provider.callCount).toBe(callsBefore);
  // The tick's lock had a session of its own, which the server may still be closing.
  await expect
    .poll(countConnections)
    .toEqual({ 'freshet-detect': 1, 'freshet-embed': 1, 'freshet-write': 1 });
  const components = new Set(lines.map(line => (JSON.parse(line) as { component: string }).component));
  expect([...components].sort()).toEqual(['detect', 'embed', 'migrate', 'write']);
});

async function countConnections(): Promise<Record<string, number>> {
  const { rows } = await sql<{ name: string; connections: number }>`
    SELECT application_name AS name, count(*)::int AS connections FROM pg_stat_activity
     WHERE datname = current_database() AND application_name LIKE 'freshet-%' GROUP BY 1`.execute(
    behindTls.database.kysely,
  );
  return Object.fromEntries(rows.map(({ name, connections }) => [name, connections]));
}
