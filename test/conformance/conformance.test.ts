import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CHECKS, runChecks } from '../../bin/conformance/checks.ts';
import { openService } from '../../bin/conformance/service.ts';
import { failureClassOf } from '../../lib/core/provider-failure-codes.ts';
import { codeOfStatus, codeOfWord } from '../../lib/core/provider-failures.ts';
import { type Flaw, SERVICE, startEmbedService } from '../doubles/start-embed-service.ts';

const program = join(import.meta.dirname, '../../bin/conformance/main.ts');
const contract = readFileSync(join(import.meta.dirname, '../../docs/contracts/embed-v1.yaml'), 'utf8');

async function check(flaw?: Flaw, token: string = SERVICE.token) {
  const service = await startEmbedService(flaw);
  const results = await runChecks(
    openService({ url: service.url, model: SERVICE.model, token, timeoutMs: 10_000 }),
  );
  await service.close();
  return results;
}

function run(
  words: readonly string[],
  token = '',
): Promise<{ code: number; output: string; errors: string }> {
  return new Promise(resolve => {
    const env = { PATH: process.env.PATH, FRESHET_HTTP_TOKEN: token };
    execFile(process.execPath, [program, ...words], { env }, (error, output, errors) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, output, errors }),
    );
  });
}

describe('the checks', () => {
  it('all pass against the reference service', async () => {
    const results = await check();

    expect(results.filter(({ result }) => result !== 'passed')).toEqual([]);
    expect(results).toHaveLength(CHECKS.length);
  });

  it('about tokens are skipped where none was given', async () => {
    const results = await check('any-token', '');

    expect(results.filter(({ result }) => result === 'skipped').map(({ name }) => name)).toEqual([
      'wrong token: 401',
      'no token: 401',
    ]);
    expect(results.filter(({ result }) => result === 'failed')).toEqual([]);
  });

  it.each<[Flaw, string]>([
    ['short', 'shape'],
    ['wrong-dim', 'shape'],
    ['sorted', 'order'],
    ['reversed', 'independence'],
    ['contextual', 'independence'],
    ['random', 'determinism'],
    ['random', 'duplicates'],
    ['constant', 'difference'],
    ['unnormalised', 'normalisation: normalize true'],
    ['ascii', 'unicode'],
    ['ascii', 'scripts'],
    ['one-script', 'scripts'],
    ['crashes-on-length', 'length'],
    ['small-batch', 'batch'],
    ['strict-fields', 'hashes'],
    ['drops-empty', 'empty text'],
    ['cuts-batch', 'oversized batch'],
    ['any-model', 'unknown model'],
    ['wrong-error-shape', 'unknown model'],
    ['any-token', 'wrong token'],
    ['any-token', 'no token'],
    ['accepts-anything', 'texts missing'],
    ['accepts-anything', 'texts that are no texts'],
  ])('find out a service that is %s, at "%s"', async (flaw, name) => {
    const failed = (await check(flaw)).filter(({ result }) => result === 'failed');

    expect(failed.map(found => found.name.slice(0, name.length))).toContain(name);
    expect(failed.every(({ detail }) => detail !== '')).toBe(true);
  });

  it('say that nobody answers where nobody does', async () => {
    const service = await startEmbedService();
    await service.close();

    const results = await runChecks(openService({ ...SERVICE, url: service.url, timeoutMs: 10_000 }));

    expect(results.filter(({ result }) => result === 'failed')).toHaveLength(CHECKS.length);
    expect(results[0]?.detail).toBe('the call failed (ECONNREFUSED)');
  });
});

describe('npm run conformance', () => {
  it('prints a table and ends with 0 where everything passes', async () => {
    const service = await startEmbedService();
    const result = await run([service.url, '--model', SERVICE.model], SERVICE.token);
    await service.close();

    expect(result.errors).toBe('');
    expect(result.code).toBe(0);
    expect(result.output).toContain(`${CHECKS.length} passed, 0 failed, 0 skipped.`);
  });

  it('ends with 1 where a check fails; with --json it prints one object', async () => {
    const service = await startEmbedService('constant');
    const result = await run([service.url, '--model', SERVICE.model, '--json'], SERVICE.token);
    await service.close();

    const report = JSON.parse(result.output) as { failed: number; checks: { name: string }[] };
    expect(result.code).toBe(1);
    expect(report.failed).toBeGreaterThan(0);
    expect(report.checks.map(({ name }) => name)).toEqual(CHECKS.map(({ name }) => name));
  });

  it.each([
    [[]],
    [['http://embed.example', '--model', 'm']],
    [['https://embed.example']],
    [['--modle', 'm']],
  ])('ends with 2 and what to do for %j', async words => {
    const result = await run(words);

    expect(result.code).toBe(2);
    expect(result.errors).toMatch(/^freshet: /);
    expect(result.output).toBe('');
  });
});

describe('the contract', () => {
  it('names the codes that the adapter understands, each with its class', () => {
    const rows = [...contract.matchAll(/^\s+- `(\w+)` \((\d{3})\): ([\w-]+)/gm)];

    expect(rows.map(([, code]) => code)).toEqual([
      'invalid_request',
      'unauthorized',
      'forbidden',
      'model_not_found',
      'batch_too_large',
      'invalid_text',
      'rate_limited',
      'overloaded',
      'not_ready',
    ]);
    for (const [, code = '', status, failureClass] of rows) {
      const understood = codeOfWord(code, 'http') ?? codeOfStatus(Number(status), 'http');
      expect([code, failureClassOf(understood)]).toEqual([code, failureClass]);
    }
  });
});
