import { afterEach, describe, expect, it } from 'vitest';
import { startFakePostgres } from './fake-postgres.ts';
import {
  CANARY,
  createItems,
  embedded,
  openWorkbench,
  urlOf,
  vectorOf,
  type Workbench,
} from './open-workbench.ts';

const PASSWORD = 'hunter2:%21secret';
let bench: Workbench;
afterEach(() => bench.close());

/** The same refusal from every command that opens a database. */
async function refuseEverywhere(url: string, code = 2): Promise<string> {
  const said: string[] = [];
  for (const command of ['run', 'doctor', 'status']) {
    const result = await bench.start([command], { DATABASE_URL: url }).ended;
    expect(result).toMatchObject({ code, output: '' });
    said.push(result.errors);
  }
  expect(new Set(said).size).toBe(1);
  for (const word of ['hunter2', 'secret', encodeURIComponent(PASSWORD)]) expect(said[0]).not.toContain(word);
  expect(bench.server.callCount).toBe(0);
  return said[0] ?? '';
}

describe('database unreachable, pgvector missing or too old', () => {
  const withPassword = (url: string) => {
    const changed = new URL(url);
    changed.password = PASSWORD;
    return changed.href;
  };

  it.each([
    [{ port: 1 }, /PostgreSQL at [\w.]+:1 cannot be reached \(ECONNREFUSED\)\. Check host and port/, 1],
    [{ database: 'no_such_database' }, /PostgreSQL at [\w.]+:\d+ has no database "no_such_database"/, 2],
    [
      { user: 'nobody_at_all' },
      /PostgreSQL at [\w.]+:\d+ refused user "nobody_at_all".*Check user and password/,
      2,
    ],
  ])('names host and remedy for %j, never the password', async (changes, message, code) => {
    bench = await openWorkbench();
    bench.configure({});

    expect(await refuseEverywhere(withPassword(urlOf(changes)), code)).toMatch(message);
  });

  it('names a host that does not exist', async () => {
    bench = await openWorkbench();
    bench.configure({});

    const said = await refuseEverywhere(`postgres://u:${encodeURIComponent(PASSWORD)}@database.invalid/d`, 1);

    expect(said).toMatch(/PostgreSQL at database\.invalid:5432 cannot be reached/);
  });

  it.each([
    ['wrong-password', /PostgreSQL at 127\.0\.0\.1:\d+ refused user "u": wrong password/],
    ['old-server', /PostgreSQL at 127\.0\.0\.1:\d+ is version 14; Freshet needs PostgreSQL 15 or newer/],
    [
      'no-package',
      /the server has no pgvector\. Install its pgvector package \(0\.8\.0 or newer\), then run/,
    ],
    [
      'old-package',
      /pgvector 0\.7\.4 in database "d" is too old; .*the server's package is 0\.7\.4: upgrade/,
    ],
  ] as const)('says what is wrong with a server: %s', async (kind, message) => {
    bench = await openWorkbench();
    bench.configure({});
    const fake = await startFakePostgres(kind);
    try {
      const url = `postgres://u:${encodeURIComponent(PASSWORD)}@127.0.0.1:${fake.port}/d`;
      expect(await refuseEverywhere(url)).toMatch(message);
    } finally {
      fake.close();
    }
  });

  it('gives the statement for pgvector where it is missing', async () => {
    bench = await openWorkbench({ withPgvector: false });
    await createItems(bench, [CANARY]);
    bench.configure({});

    const said = await refuseEverywhere(withPassword(bench.url));

    expect(said).toMatch(
      /PostgreSQL at [\w.]+:\d+.*database "freshet_test_\w+" has no pgvector yet.*as the owner of the database/,
    );
    expect(said).toContain('CREATE EXTENSION vector;');
    expect(said).not.toMatch(/install|package/i);
  });

  it('gives the statement for pgvector where it is too old', async () => {
    bench = await openWorkbench();
    await bench.query(`UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'`);
    bench.configure({});

    const said = await refuseEverywhere(withPassword(bench.url));

    expect(said).toMatch(
      /PostgreSQL at [\w.]+:\d+.*pgvector 0\.7\.4 in database "freshet_test_.* is too old/,
    );
    expect(said).toContain('ALTER EXTENSION vector UPDATE;');
    expect(said).not.toMatch(/upgrade/i);
  });

  it('names the GRANT where the role may not use the schema of pgvector', async () => {
    bench = await openWorkbench({ withPgvector: false });
    await bench.query('CREATE SCHEMA "ext ensions"');
    await bench.query('CREATE EXTENSION vector SCHEMA "ext ensions"');
    await createItems(bench, [CANARY]);
    bench.configure({});
    expect((await bench.cli('migrate')).code).toBe(0);
    const { role, url } = await bench.createRole();
    await bench.query(`GRANT SELECT ON items TO ${role}`);
    await bench.query(`GRANT ALL ON SCHEMA freshet, embeddings TO ${role}`);
    await bench.query(`GRANT ALL ON ALL TABLES IN SCHEMA freshet TO ${role}`);
    const grant = `GRANT USAGE ON SCHEMA "ext ensions" TO "${role}";`;

    for (const command of ['run', 'migrate', 'doctor']) {
      const refused = await bench.start([command], { DATABASE_URL: url }).ended;
      expect(refused).toMatchObject({ code: 2, errors: expect.stringContaining(grant) });
      expect(refused.errors).toContain(`role "${role}" may not use pgvector`);
    }
    expect(bench.server.callCount).toBe(0);

    await bench.query(grant);
    expect((await bench.start(['run'], { DATABASE_URL: url }).ended).code).toBe(0);
    expect(await bench.stored()).toEqual([embedded(1, CANARY)]);
  });
});

describe('the model’s dimensions differ from the space’s', () => {
  const model = (dimensions: number) => ({
    provider: 'openai',
    modelId: 'tiny-1',
    dimensions,
    baseUrl: 'SERVER',
  });

  it('names the line to change when the configuration has others than the stored vectors, and writes nothing', async () => {
    bench = await openWorkbench();
    await createItems(bench, [CANARY]);
    bench.configure({});
    await bench.run();
    const spaces = await bench.query('SELECT *, xmin FROM freshet.spaces');
    bench.configure({ models: { tiny: model(16) } });

    for (const command of ['run', 'migrate']) {
      const result = await bench.cli(command);
      expect(result.code).toBe(2);
      expect(result.errors).toMatch(/"tiny" .*8 dimensions.*16/s);
      expect(result.errors).toContain('models.tiny.dimensions');
    }

    expect(bench.server.callCount).toBe(1);
    expect(await bench.query('SELECT *, xmin FROM freshet.spaces')).toEqual(spaces);
    expect(await bench.query('SELECT id FROM embeddings.items')).toEqual([{ id: '1' }]);
  });

  it('starts a space of its own where the model has another alias', async () => {
    bench = await openWorkbench();
    await createItems(bench, [CANARY]);
    bench.configure({});
    await bench.run();
    bench.server.setBehaviour(call => ({
      kind: 'vectors',
      vector: (text, _place, right) => (call.body.model === 'tiny-1' ? wide(text) : right),
    }));
    bench.configure({
      models: { tiny16: model(16) },
      sources: [{ name: 'items', table: 'items', text: { columns: ['body'] }, model: 'tiny16' }],
    });

    const run = await bench.run();

    expect(run).toMatchObject({ code: 0, embedded: 1 });
    expect((await bench.stored())[0]?.vector).toEqual(vectorOf(CANARY, 16));
  });

  it('names the line to change when the provider answers others than configured, and writes nothing', async () => {
    bench = await openWorkbench({ dimensions: 16 });
    await createItems(bench, [CANARY, `${CANARY} 2`]);
    bench.configure({});

    const run = await bench.run();
    bench.configure({ models: { tiny: model(16) } });
    const mended = await bench.run();

    expect(run.code).toBe(2);
    expect(run.error?.message).toContain('vectors of 16 dimensions where 8 are configured');
    expect(run.error?.message).toContain('models.tiny.dimensions in freshet.config.ts');
    expect(mended).toMatchObject({ code: 0, embedded: 2 });
    expect(await bench.query('SELECT FROM freshet.failures')).toEqual([]);
  });

  it('goes on where the provider was put right', async () => {
    bench = await openWorkbench();
    await createItems(bench, [CANARY]);
    bench.configure({});
    bench.server.setBehaviour(() => ({ kind: 'vectors', vector: wide }));
    expect(await bench.run()).toMatchObject({ code: 2 });
    expect(await bench.stored()).toEqual([]);
    bench.server.setBehaviour(() => ({ kind: 'embed' }));

    expect(await bench.run()).toMatchObject({ code: 0 });
    expect(await bench.stored()).toEqual([embedded(1, CANARY)]);
  });

  function wide(text: string): Buffer {
    const bytes = Buffer.alloc(64);
    for (const [place, value] of vectorOf(text, 16).entries()) bytes.writeFloatLE(value, place * 4);
    return bytes;
  }
});
