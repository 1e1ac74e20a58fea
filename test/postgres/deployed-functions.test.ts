import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createLambda as createDetect } from '../../functions/detect/handler.ts';
import { createLambda as createGuard } from '../../functions/guard/handler.ts';
import { createLambda as createMigrate } from '../../functions/migrate/handler.ts';
import { createLambda as createWrite } from '../../functions/write/handler.ts';
import { openPostgres } from '../../lib/adapters/postgres/open-postgres.ts';
import type { WrittenSettings } from '../../lib/core/config/deployment-settings.ts';
import type { DatabaseBehindTls } from '../database/database-behind-tls.ts';
import { createSourceTable } from '../database/open-space.ts';
import { DATABASE_ARN, type Deployment, describeConfig } from '../deployments/open-deployment.ts';
import { openDeploymentBehindTls } from '../deployments/open-deployment-behind-tls.ts';
import { type LoopbackLambdaApi, startLoopbackLambdaApi } from '../doubles/loopback-lambda-api.ts';
import { makeContext, makeSqsEvent } from '../factories/lambda-event.ts';
import { startTlsProxy } from '../servers/start-tls-proxy.ts';

const DIMENSIONS = 8;
const MAPPINGS = { embed: { served: ['embed-fresh', 'embed-bulk'] }, write: ['write'] };

let behindTls: DatabaseBehindTls;
let deployment: Deployment;
let api: LoopbackLambdaApi;
let directory: string;
let lines: string[];

beforeEach(async () => {
  ({ behindTls, deployment } = await openDeploymentBehindTls(DIMENSIONS));
  api = await startLoopbackLambdaApi([...MAPPINGS.embed.served, ...MAPPINGS.write]);
  process.env.AWS_ENDPOINT_URL_LAMBDA = api.endpoint;
  directory = mkdtempSync(join(tmpdir(), 'freshet-function-'));
  writeFileSync(
    join(directory, 'freshet.config.json'),
    JSON.stringify(describeConfig(deployment.provider, DIMENSIONS)),
  );
  lines = [];
  await createSourceTable(behindTls.database);
});
afterEach(async () => {
  delete process.env.AWS_ENDPOINT_URL_LAMBDA;
  rmSync(directory, { recursive: true });
  await api.close();
  await deployment.close();
  await behindTls.close();
});

function surround(changes: Partial<WrittenSettings> = {}) {
  const settings = { ...deployment.written, eventSources: MAPPINGS, ...changes };
  return {
    variables: { FRESHET_DEPLOYMENT: JSON.stringify(settings) },
    directory,
    writeLine: (line: string) => void lines.push(line),
  };
}
const run = (statement: string) => sql.raw(statement).execute(behindTls.database.kysely);
const migrate = (changes?: Partial<WrittenSettings>) => createMigrate(surround(changes))({}, makeContext());

describe('migrate', () => {
  test('prepares the database once, and changes nothing the second time', async () => {
    expect(await migrate()).toMatchObject({
      from: 0,
      applied: expect.arrayContaining(['schema']),
      spaces: 1,
    });
    expect(await migrate()).toMatchObject({ applied: [], spaces: 1 });
  });

  test('refuses a role without the privileges, with the GRANT', async () => {
    const role = `app_${randomBytes(6).toString('hex')}`;
    await run(`CREATE ROLE ${role} LOGIN`);
    await run(`GRANT SELECT ON ai_items TO ${role}`);
    deployment.secrets.secrets.set(DATABASE_ARN, JSON.stringify({ username: role, password: 'x' }));

    await expect(migrate()).rejects.toThrow(
      /may not create or change schema freshet.*GRANT CREATE ON DATABASE/,
    );
    await run(`DROP OWNED BY ${role}`);
    await run(`DROP ROLE ${role}`);
  });

  test('refuses a pgvector that is too old', async () => {
    await run("UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'");

    await expect(migrate()).rejects.toThrow(
      /pgvector 0\.7\.4 .* is too old.*ALTER EXTENSION vector UPDATE;$/,
    );
  });

  test.each([
    ['no JSON', 'password'],
    ['no username', '{"password":"hidden"}'],
  ])('refuses a database secret that is %s, without its value', async (_, secret) => {
    deployment.secrets.secrets.set(DATABASE_ARN, secret);

    const refusal = await migrate().catch((error: unknown) => error as Error);

    expect(refusal).toMatchObject({
      message: expect.stringContaining('is not JSON with the texts "username" and'),
    });
    expect(lines.join()).not.toContain('hidden');
  });

  test('refuses a secret that is not there, by the model whose key it is', async () => {
    deployment.secrets.secrets.delete(deployment.settings.keySecrets.served ?? '');

    await expect(migrate()).rejects.toThrow(/^The key of model served cannot be read: /);
  });

  test('refuses where there is no way to the provider, and leaves the database as it was', async () => {
    await deployment.provider.close();

    await expect(migrate()).rejects.toThrow(/^Model served cannot be reached from the function's subnets/);
    const schemas = await run("SELECT FROM pg_namespace WHERE nspname = 'freshet'");
    expect(schemas.rows).toEqual([]);
  });

  test('verifies the server by the authority beside the code, and refuses where it is not there', async () => {
    const { certificateAuthority, ...place } = behindTls.place;
    const database = { ...place, certificateAuthority: { file: 'certificate-authority.pem' } };

    await expect(migrate({ database })).rejects.toThrow(/certificate-authority\.pem does not lie beside/);
    writeFileSync(join(directory, 'certificate-authority.pem'), certificateAuthority.pem);
    expect(await migrate({ database })).toMatchObject({ from: 0, spaces: 1 });
  });

  test('refuses a server whose certificate another authority made', async () => {
    const other = await startTlsProxy(process.env.DATABASE_URL ?? '');
    await other.close();

    const refused = migrate({ database: { ...behindTls.place, certificateAuthority: { pem: other.pem } } });

    await expect(refused).rejects.toThrow(/could not prove who it is/);
  });
});

describe('a function that was frozen', () => {
  const event = () => makeSqsEvent([]);
  beforeEach(() => migrate());
  afterEach(() => {
    vi.useRealTimers();
  });
  /** Its connection was idle for that long. */
  const freezeForMinutes = (minutes: number) => {
    vi.useFakeTimers({ toFake: ['Date'] });
    vi.setSystemTime(Date.now() + minutes * 60_000);
  };

  test('works on with a new connection where the server ended the old one', async () => {
    const write = createWrite(surround());
    await write(event(), makeContext());
    await run(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'freshet-write'",
    );
    freezeForMinutes(10);

    expect(await write(event(), makeContext())).toEqual({ batchItemFailures: [] });
  });

  test('works on within seconds where the network forgot the connection', async () => {
    const write = createWrite(surround());
    await write(event(), makeContext());
    behindTls.proxy.goSilent();
    freezeForMinutes(10);
    const startedMs = performance.now();

    expect(await write(event(), makeContext())).toEqual({ batchItemFailures: [] });
    expect(performance.now() - startedMs).toBeLessThan(10_000);
  });

  test('gives every record back while the server is gone, and works on when it is back', async () => {
    const write = createWrite(surround());
    await write(event(), makeContext());
    await behindTls.proxy.shut();
    freezeForMinutes(10);
    await expect(write(makeSqsEvent(['a']), makeContext())).rejects.toMatchObject({
      code: 'network_econnrefused',
    });

    await behindTls.proxy.open();
    expect(await write(event(), makeContext())).toEqual({ batchItemFailures: [] });
  });
});

describe('detect', () => {
  test('finds a second tick of its pass at work and ends well', async () => {
    await migrate();
    const detect = createDetect(surround());
    const report = await behindTls.database.tickLock?.tryAlone('detect:incremental', 60_000, () =>
      detect({ pass: 'incremental' }, makeContext()),
    );

    expect(report).toEqual({ spaces: [], overlapped: true });
    expect(lines.some(line => JSON.parse(line).OverlappedTicks === 1)).toBe(true);
  });
});

test('a tick is over with its work where the network has forgotten the connection that holds its lock', async () => {
  const { host, port, name: database, certificateAuthority } = behindTls.place;
  const { username: user, password } = behindTls.login;
  const readLogin = async () => ({ user, password });
  const endpoint = { host, port, database, certificateAuthority, readLogin };
  const opened = await openPostgres({ endpoint, maxConnections: 1 });
  const startedMs = performance.now();

  const report = await opened.tickLock?.tryAlone('detect', 60_000, async () => {
    behindTls.proxy.goSilent();
    return { done: true };
  });

  expect(report).toEqual({ done: true });
  expect(performance.now() - startedMs).toBeLessThan(10_000);
  await opened.close();
});

describe('guard', () => {
  const statesOf = () => [...api.mappings.values()].map(({ state }) => state);

  test('closes embed and write while the database is gone, and opens them when it is back', async () => {
    await migrate();
    const guard = createGuard(surround());
    expect(await guard({}, makeContext())).toMatchObject({ databaseAnswers: true, closed: [] });

    await behindTls.proxy.shut();
    expect(await guard({}, makeContext())).toMatchObject({ databaseAnswers: false });
    expect(statesOf()).toEqual(['Disabled', 'Disabled', 'Disabled']);

    await behindTls.proxy.open();
    expect(await guard({}, makeContext())).toMatchObject({ databaseAnswers: true, closed: [] });
    expect(statesOf()).toEqual(['Enabled', 'Enabled', 'Enabled']);
  });

  test('probes a paused model once a minute at most, whoever asks, and enters it in the ledger', async () => {
    await migrate();
    const guard = createGuard(surround());
    const callsBefore = deployment.provider.callCount;
    await run("INSERT INTO freshet.control (scope, reason) VALUES ('model:served', 'provider:unauthorized')");
    expect(await guard({}, makeContext())).toMatchObject({ pausedModels: ['served'] });
    expect(deployment.provider.callCount).toBe(callsBefore);
    await run("UPDATE freshet.control SET since = since - interval '1 minute'");
    deployment.provider.setBehaviour(() => ({ kind: 'status', status: 401 }));

    await Promise.all([guard({}, makeContext()), createGuard(surround())({}, makeContext())]);
    expect(deployment.provider.callCount).toBeLessThanOrEqual(callsBefore + 2);
    const callsOfFirstMinute = deployment.provider.callCount;
    deployment.provider.setBehaviour(() => ({ kind: 'embed' }));
    await guard({}, makeContext());
    expect(deployment.provider.callCount).toBe(callsOfFirstMinute);

    await run("UPDATE freshet.control SET probed_at = probed_at - interval '1 minute'");
    expect(await guard({}, makeContext())).toMatchObject({ pausedModels: [], reasons: [] });
    expect(statesOf()).toEqual(['Enabled', 'Enabled', 'Enabled']);
    const { rows } = await run('SELECT items, unique_texts, outcome FROM freshet.ledger');
    expect(rows).toEqual([{ items: 0, unique_texts: 1, outcome: 'ok' }]);
    expect((await run('SELECT FROM freshet.grants')).rows).toEqual([]);
  });

  test('never opens what was disabled by hand', async () => {
    await migrate();
    api.mappings.get('write')!.state = 'Disabled';

    const report = await createGuard(surround())({}, makeContext());

    expect(report).toMatchObject({ closedByHand: ['write'] });
    expect(statesOf()).toEqual(['Enabled', 'Enabled', 'Disabled']);
    expect(lines.some(line => JSON.parse(line).MappingsDisabledByHand === 1)).toBe(true);
  });
});
