import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleHandler, writeBundle } from '../../lib/constructs/bundling.ts';
import type { HandlerName } from '../../lib/constructs/function-settings.ts';
import type { FreshetConfig } from '../../lib/core/config/config-schema.ts';

const requireModule = createRequire(import.meta.url);

/**
 * Builds the bundles that a stack deploys.
 *
 * Each bundle lies in its own folder, with the configuration beside the entry.
 */
export function buildHandlers(names: readonly HandlerName[], config: FreshetConfig) {
  const folder = mkdtempSync(join(tmpdir(), 'freshet-bundles-'));
  for (const name of names) {
    writeBundle(bundleHandler(name), join(folder, name));
    writeFileSync(join(folder, name, 'freshet.config.json'), JSON.stringify(config));
  }
  return {
    folderOf: (name: HandlerName) => join(folder, name),
    /**
     * Loads a bundle with Node itself, as Lambda does.
     *
     * `import` here would go through the test runner. `Module` is the type of the sources.
     */
    load: <Module>(name: HandlerName): Module => requireModule(join(folder, name, 'index.mjs')),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
