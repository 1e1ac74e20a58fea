import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type * as Guard from '../../functions/guard/handler.ts';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { COMPATIBLE_FROM, migrate, NEEDED_VERSION } from '../../lib/adapters/sql/migrations/migrate.ts';
import type { DatabaseBehindTls } from '../database/database-behind-tls.ts';
import { openTestDatabase } from '../database/open-test-database.ts';
import { buildHandlers } from '../deployments/built-handlers.ts';
import {
  createRows,
  embedEverything,
  expectEverythingEmbedded,
  type Functions,
  loadFunctions,
  misbehave,
} from '../deployments/embed-everything.ts';
import { listArchives, readArchive, unpackFunctions } from '../deployments/older-functions.ts';
import { type Deployment, describeConfig } from '../deployments/open-deployment.ts';
import { openDeploymentBehindTls } from '../deployments/open-deployment-behind-tls.ts';
import { type LoopbackLambdaApi, startLoopbackLambdaApi } from '../doubles/loopback-lambda-api.ts';
import { makeContext } from '../factories/lambda-event.ts';

const ROWS = 1_200;
const DIMENSIONS = 64;
const MAPPINGS = { embed: { served: ['embed-fresh', 'embed-bulk'] }, write: ['write'] };

let behindTls: DatabaseBehindTls;
let deployment: Deployment;
let api: LoopbackLambdaApi;
let built: ReturnType<typeof buildHandlers>;
let unpacked: ReturnType<typeof unpackFunctions>;
/** The functions of today, built as a deployment has them. */
let newer: Functions;

beforeEach(async () => {
  ({ behindTls, deployment } = await openDeploymentBehindTls(DIMENSIONS));
  api = await startLoopbackLambdaApi([...MAPPINGS.embed.served, ...MAPPINGS.write]);
  const config = describeConfig(deployment.provider, DIMENSIONS);
  built = buildHandlers(['migrate', 'detect', 'embed', 'write'], config);
  vi.stubEnv('LAMBDA_TASK_ROOT', built.folderOf('migrate'));
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  newer = loadFunctions(built.load);
  await createRows(behindTls.database, ROWS);
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  await api.close();
  await deployment.close();
  await behindTls.close();
  built.remove();
  unpacked.remove();
});

/** The environment that a stack of version 13 gave its functions: a version freezes it. */
const variablesOf13 = () => ({
  FRESHET_DEPLOYMENT: JSON.stringify({
    stage: 'test',
    region: deployment.written.region,
    database: deployment.written.database,
    queueUrlPrefix: deployment.written.queueUrlPrefix,
    models: deployment.written.models,
    claimsBucket: deployment.written.claimsBucket,
    keySecrets: deployment.written.keySecrets,
    embedVisibilitySeconds: 720,
    resultsVisibilitySeconds: 360,
    maxReceiveCount: deployment.written.maxReceiveCount,
    eventSources: MAPPINGS,
  }),
  AWS_ENDPOINT_URL_LAMBDA: api.endpoint,
});

/** The functions of an archive, and its guard. */
function loadOlder(version: number): { older: Functions; guard: typeof Guard.handler } {
  unpacked = unpackFunctions(
    readArchive(version),
    describeConfig(deployment.provider, DIMENSIONS),
    variablesOf13(),
  );
  return {
    older: {
      migrate: unpacked.load('migrate'),
      detect: unpacked.load('detect'),
      embed: unpacked.load('embed'),
      write: unpacked.load('write'),
    },
    guard: unpacked.load('guard'),
  };
}

/** Tables, columns and indexes of schema `freshet`, those of spaces apart, which `migrate` does not make by its versions. */
async function readSchema(database: SqlDatabase): Promise<string[]> {
  const { rows } = await sql<{ part: string }>`
    SELECT concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default) AS part
      FROM information_schema.columns WHERE table_schema = 'freshet' AND table_name NOT LIKE 'vectors%'
    UNION ALL
    SELECT indexdef FROM pg_indexes WHERE schemaname = 'freshet' AND tablename NOT LIKE 'vectors%'
     ORDER BY 1`.execute(database.kysely);
  return rows.map(({ part }) => part);
}

const idle = { leased: 0, passEnded: true };
const walk = (functions: Functions) => functions.detect({ pass: 'reconcile' }, makeContext());
const edit = (rows: string) =>
  sql
    .raw(`UPDATE ai_items SET summary = summary || ' again', updated_at = now() WHERE ${rows}`)
    .execute(behindTls.database.kysely);

describe.each(listArchives().filter(version => version >= COMPATIBLE_FROM))(
  'code of schema version %i on the schema of today',
  version => {
    test('changes nothing by its migrate, embeds every row, and its next tick and that of newer code are idle', async () => {
      const { older, guard } = loadOlder(version);
      expect(await older.migrate({}, makeContext())).toMatchObject({ from: 0, to: version, spaces: 1 });
      expect(await newer.migrate({}, makeContext())).toMatchObject({ from: version, to: NEEDED_VERSION });
      const schema = await readSchema(behindTls.database);

      const rolledBack = await older.migrate({}, makeContext());
      misbehave(deployment);
      const polls = await embedEverything(deployment, older);

      expect(rolledBack).toMatchObject({ from: NEEDED_VERSION, to: NEEDED_VERSION, applied: [], spaces: 1 });
      expect(await readSchema(behindTls.database)).toEqual(schema);
      expect(polls.some(({ threw }) => threw)).toBe(false);
      await expectEverythingEmbedded(behindTls.database, deployment, DIMENSIONS);
      const callsBefore = deployment.provider.callCount;
      expect((await walk(older)).spaces).toMatchObject([idle]);
      expect((await walk(newer)).spaces).toMatchObject([idle]);
      expect(deployment.provider.callCount).toBe(callsBefore);
      expect(await guard({}, makeContext())).toMatchObject({ databaseAnswers: true, closed: [] });
      expect([...api.mappings.values()].map(({ state }) => state)).toEqual(Array(3).fill('Enabled'));
    });

    test('works beside newer code, whose messages and results it takes as newer code takes its own', async () => {
      const { older } = loadOlder(version);
      await older.migrate({}, makeContext());
      await older.detect({ pass: 'reconcile' }, makeContext());
      await newer.migrate({}, makeContext());
      misbehave(deployment);

      await embedEverything(deployment, { ...newer, write: older.write });
      await edit('id % 7 = 0 AND id % 331 <> 0 AND summary IS NOT NULL');
      await embedEverything(deployment, { ...older, detect: newer.detect, write: newer.write });

      await expectEverythingEmbedded(behindTls.database, deployment, DIMENSIONS, 2);
      expect((await walk(older)).spaces).toMatchObject([idle]);
      expect((await walk(newer)).spaces).toMatchObject([idle]);
    });

    test('leaves by its migrate what a newer migrate turns into the same schema as on an empty database', async () => {
      const { older } = loadOlder(version);
      await older.migrate({}, makeContext());
      await newer.migrate({}, makeContext());

      const empty = await openTestDatabase({ migrated: false });
      try {
        await migrate(empty);
        expect(await readSchema(behindTls.database)).toEqual(await readSchema(empty));
      } finally {
        await empty.close();
      }
    });
  },
);
