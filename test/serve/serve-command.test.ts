import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const program = join(root, 'bin/freshet.ts');
const folder = mkdtempSync(join(tmpdir(), 'freshet-serve-'));
const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

function configure(name: string, service: object): string {
  const file = join(folder, `${name}.mjs`);
  const sources = [{ name: 'articles', table: 'articles', text: { columns: ['title'] }, model: 'hash' }];
  writeFileSync(file, `export default ${JSON.stringify({ sources, service })};\n`);
  return file;
}

const env = { PATH: process.env.PATH };

/** Starts `freshet serve` on a free port, and resolves once it listens. */
async function start(file: string, cwd = folder) {
  const words = [program, 'serve', '--config', file, '--port', '0', '--json'];
  const child = spawn(process.execPath, words, { cwd, env });
  children.push(child);
  let log = '';
  child.stderr.on('data', chunk => {
    log += chunk.toString();
  });
  const ended = new Promise<number | null>(resolve => child.once('close', resolve));
  const first = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', chunk => resolve(chunk.toString()));
    child.once('close', () => reject(new Error(log)));
  });
  return { child, ended, log: () => log, ...(JSON.parse(first) as { url: string; models: string[] }) };
}

function refuse(file: string, ...words: string[]) {
  const { status, stderr } = spawnSync(process.execPath, [program, 'serve', '--config', file, ...words], {
    ...{ cwd: folder, env, encoding: 'utf8' },
  });
  return { status, stderr };
}

describe('freshet serve', () => {
  test('becomes ready, embeds, and ends at SIGTERM', { timeout: 120_000 }, async () => {
    const { child, ended, url, models, log } = await start(configure('plain', {}));

    while ((await fetch(`${url}/ready`)).status !== 200)
      await new Promise(resolve => setTimeout(resolve, 50));
    const answer = await fetch(`${url}/v1/embed`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'hash', texts: ['canary-7d1f'] }),
    });
    const { vectors } = (await answer.json()) as { vectors: number[][] };
    child.kill('SIGTERM');

    expect(models).toEqual(['hash']);
    expect(vectors.map(vector => vector.length)).toEqual([384]);
    expect(await ended).toBe(130);
    expect(log()).toContain('"event":"model-ready"');
    expect(log()).not.toContain('canary');
  });

  test('says what to type on every address: a Host that it answers, and the token', async () => {
    const tokens = { issuer: 'https://issuer.example', audience: 'freshet', secret: { env: 'TOKEN_SECRET' } };
    const file = configure('everywhere', { host: '0.0.0.0', allowedHosts: ['embeddings.internal'], tokens });
    const child = spawn(process.execPath, [program, 'serve', '--config', file, '--port', '0'], {
      cwd: folder,
      env: { ...env, TOKEN_SECRET: 'a secret of at least thirty-two bytes' },
    });
    children.push(child);
    let said = '';
    child.stdout.on('data', chunk => {
      said += chunk.toString();
    });
    await expect.poll(() => said, { timeout: 60_000 }).toContain('Try: ');
    child.kill('SIGKILL');

    const [, url] =
      /Try: curl '(http:\S+)\/v1\/embed' .* -H "authorization: Bearer \$TOKEN" -d /.exec(said) ?? [];
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  }, 90_000);

  test('never becomes ready where the recorded vectors are others', { timeout: 240_000 }, async () => {
    const cwd = mkdtempSync(join(folder, 'recorded-'));
    const file = configure('recorded', {});
    const tampered =
      "UPDATE freshet.golden_vectors SET vectors = decode(repeat('0000803f', length(vectors) / 4), 'hex')";
    for (const words of [
      ['models', 'check'],
      ['sql', tampered],
    ]) {
      const { status, stderr } = spawnSync(process.execPath, [program, ...words, '--config', file], {
        ...{ cwd, env, encoding: 'utf8' },
      });
      expect(status, stderr).toBe(0);
    }

    const { child, ended, url } = await start(file, cwd);
    const readCodes = async () => {
      const { models } = (await (await fetch(`${url}/ready`)).json()) as {
        models: { code: string | null }[];
      };
      return models.map(({ code }) => code);
    };
    while ((await readCodes())[0] === null) await new Promise(resolve => setTimeout(resolve, 50));
    const codes = await readCodes();
    const refused = await fetch(`${url}/v1/embed`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'hash', texts: ['a'] }),
    });
    child.kill('SIGTERM');
    await ended;

    expect(codes).toEqual(['golden_mismatch']);
    expect(refused.status).toBe(503);
  });

  test('refuses an address that others reach without tokens, and a bound one without hosts', {
    timeout: 120_000,
  }, () => {
    const open = refuse(configure('open', {}), '--host', '0.0.0.0');
    const tokens = { issuer: 'i', audience: 'a', jwksUrl: 'https://login.example.com/keys' };
    const unnamed = refuse(configure('unnamed', { host: '0.0.0.0', tokens }));

    expect([open.status, unnamed.status]).toEqual([2, 2]);
    expect(open.stderr).toMatch(/0\.0\.0\.0, which others reach, and asks for no tokens/);
    expect(unnamed.stderr).toMatch(/service\.allowedHosts/);
  });
});
