import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { FunctionName } from '../../lib/constructs/function-settings.ts';
import type { FreshetConfig } from '../../lib/core/config/config-schema.ts';
import { runApp } from '../bin/run-app.ts';
import { stageInput } from '../factories/pipeline-stack.ts';

const requireModule = createRequire(import.meta.url);

/** Stands in for a server on this machine, which no stage may name for its own model. */
const ADDRESS = 'https://models.example.com/v1';

interface LambdaResource {
  readonly Type: string;
  readonly Properties: { readonly Description?: string; readonly Code: { readonly S3Key?: string } };
}

/**
 * Synthesises a stage of the configuration and finds what its deployment would upload.
 *
 * `bin/app.ts` runs as `cdk` starts it, without credentials. Each function is found in the
 * template, and its asset in the assembly. A stage must not name models on this machine, so
 * their addresses are put back into the assets' configuration afterwards.
 */
export function synthesiseHandlers(config: FreshetConfig) {
  const folder = mkdtempSync(path.join(tmpdir(), 'freshet-assembly-'));
  const assembly = path.join(folder, 'cdk.out');
  const addresses = Object.values(config.models ?? {}).flatMap(({ baseUrl }) => baseUrl ?? []);
  const described = { ...config, aws: { stages: { test: stageInput } } };
  const text = addresses.reduce(
    (json, address) => json.replaceAll(address, ADDRESS),
    JSON.stringify(described),
  );
  writeFileSync(path.join(folder, 'freshet.config.ts'), `export default ${text};`);
  synthesise(assembly, { stage: 'test', config: path.join(folder, 'freshet.config.ts') });
  const template = JSON.parse(readFileSync(path.join(assembly, 'freshet-test.template.json'), 'utf8'));
  const folders = new Map<string, string>();
  for (const { Type, Properties } of Object.values(template.Resources as Record<string, LambdaResource>)) {
    const name = /^Freshet (\w+):/.exec(Properties?.Description ?? '')?.[1];
    if (Type !== 'AWS::Lambda::Function' || name === undefined) continue;
    folders.set(name, path.join(assembly, `asset.${path.basename(Properties.Code.S3Key ?? '', '.zip')}`));
  }
  const shipped = [...folders].map(([name, asset]) => [name, readConfig(asset)] as const);
  for (const asset of folders.values())
    for (const address of addresses)
      writeFileSync(path.join(asset, CONFIG), readConfig(asset).replaceAll(ADDRESS, address));
  return {
    assembly,
    /** Name of the function → its `freshet.config.json` as it was synthesised. */
    shipped: new Map(shipped),
    folderOf: (name: FunctionName) => folders.get(name)!,
    /**
     * Loads a bundle with Node itself, as Lambda does.
     *
     * `import` here would go through the test runner. `Module` is the type of the sources.
     */
    load: <Module>(name: FunctionName): Module =>
      requireModule(path.join(folders.get(name)!, 'index.mjs')) as Module,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

const CONFIG = 'freshet.config.json';
const readConfig = (asset: string) => readFileSync(path.join(asset, CONFIG), 'utf8');

function synthesise(assembly: string, context: Readonly<Record<string, string>>): void {
  const { status, stderr } = runApp(assembly, context);
  if (status !== 0) throw new Error(`bin/app.ts ended with ${status}:\n${stderr}`);
}
