import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type * as Detect from '../../functions/detect/handler.ts';
import type * as Embed from '../../functions/embed/handler.ts';
import type * as Migrate from '../../functions/migrate/handler.ts';
import type * as Write from '../../functions/write/handler.ts';
import { type DatabaseBehindTls, openDatabaseBehindTls } from '../database/database-behind-tls.ts';
import {
  createRows,
  embedEverything,
  expectEverythingEmbedded,
  type Functions,
  misbehave,
} from '../deployments/embed-everything.ts';
import {
  DATABASE_ARN,
  type Deployment,
  describeConfig,
  openDeployment,
} from '../deployments/open-deployment.ts';
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
  behindTls = await openDatabaseBehindTls(DATABASE_ARN);
  const { place, login } = behindTls;
  deployment = await openDeployment({ dimensions: DIMENSIONS, database: place, databaseSecret: login });
  built = synthesiseHandlers(describeConfig(deployment.provider, DIMENSIONS));
  vi.stubEnv('LAMBDA_TASK_ROOT', built.folderOf('migrate'));
  lines = [];
  vi.spyOn(process.stdout, 'write').mockImplementation(chunk => lines.push(String(chunk)) > 0);
  functions = {
    migrate: built.load<typeof Migrate>('migrate').handler,
    detect: built.load<typeof Detect>('detect').handler,
    embed: built.load<typeof Embed>('embed').handler,
    write: built.load<typeof Write>('write').handler,
  };
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
  expect(await countConnections()).toEqual({ 'freshet-detect': 1, 'freshet-embed': 1, 'freshet-write': 1 });
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
