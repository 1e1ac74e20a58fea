import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import { afterEach, expect, test } from 'vitest';
import { bundleFunctions } from '../../lib/constructs/bundling.ts';
import type { HandlerName } from '../../lib/constructs/function-settings.ts';
import { PROVIDERS } from '../../lib/core/providers.ts';
import { sha256Hex } from '../../lib/core/text.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** Bundles one function of a configuration and returns the folder that would be uploaded. */
function stageAsset(name: HandlerName, model: string): string {
  const outdir = mkdtempSync(path.join(tmpdir(), 'freshet-asset-'));
  folders.push(outdir);
  const config = { sources: [{ name: 'items', table: 'items', text: { columns: ['title'] }, model }] };
  bundleFunctions(config)
    .codeOf(name)
    .bind(new Stack(new App({ outdir }), 'stack'));
  const [asset] = readdirSync(outdir).filter(entry => entry.startsWith('asset.'));
  return path.join(outdir, asset ?? '');
}

test.each(['embed', 'guard'] as const)(
  'the asset of %s has the table that the static provider reads',
  name => {
    const table = path.join(stageAsset(name, 'static'), 'models/static-minilm');

    for (const [file, digest] of Object.entries(PROVIDERS.static.onlyModel!.files))
      expect(sha256Hex(readFileSync(path.join(table, file)))).toBe(digest);
    expect(readFileSync(path.join(table, 'LICENSE'), 'utf8')).toContain('Apache License');
  },
);

test('no asset has a table that nobody reads', () => {
  expect(existsSync(path.join(stageAsset('embed', 'openai'), 'models'))).toBe(false);
  expect(existsSync(path.join(stageAsset('write', 'static'), 'models'))).toBe(false);
});
