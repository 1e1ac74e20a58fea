import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { AssetHashType, DockerImage } from 'aws-cdk-lib';
import { Code } from 'aws-cdk-lib/aws-lambda';
import type { FreshetConfig } from '../core/config/config-schema.ts';
import { bundleHandler } from './bundle-handler.ts';
import { findHandlerFolder } from './find-handler-folder.ts';
import type { FunctionAssets } from './function-assets.ts';
import type { HandlerName } from './function-settings.ts';

const root = path.resolve(import.meta.dirname, '../..');

/** The rows that `sample` loads. */
const SAMPLE = path.join(root, 'examples/demo/ai-items.data.json');

/**
 * Bundles the handlers with their libraries and with the configuration.
 * The configuration lies beside each handler as `freshet.config.json`. The hash of an asset is the
 * hash of its contents.
 */
export function bundleFunctions(config: FreshetConfig): FunctionAssets {
  const json = `${JSON.stringify(withoutPlaces(config))}\n`;
  return {
    codeOf: name =>
      Code.fromAsset(findHandlerFolder(name) ?? path.join(root, 'functions', name), {
        assetHashType: AssetHashType.OUTPUT,
        bundling: {
          // The image is never pulled: the local bundling below does not decline.
          image: DockerImage.fromRegistry('none'),
          local: {
            tryBundle: folder => {
              fillFolder(name, folder);
              writeFileSync(path.join(folder, 'freshet.config.json'), json);
              if (name === 'sample') cpSync(SAMPLE, path.join(folder, path.basename(SAMPLE)));
              return true;
            },
          },
        },
      }),
  };
}

function fillFolder(name: HandlerName, folder: string): void {
  const built = findHandlerFolder(name);
  if (built !== undefined) {
    cpSync(built, folder, { recursive: true });
    return;
  }
  for (const file of bundleHandler(name).files) {
    const target = path.join(folder, file.path);
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, file.contents);
  }
}

/**
 * The configuration without the places that only the stack knows.
 * The stack says where the database is; a URL could hold a password. A function learns its own
 * stage from the stack.
 */
function withoutPlaces({ aws: _, database, ...config }: FreshetConfig): FreshetConfig {
  const { url: __, ...rest } = database ?? {};
  return { ...config, database: rest };
}
