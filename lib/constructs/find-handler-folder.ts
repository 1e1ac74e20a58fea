import { existsSync } from 'node:fs';
import path from 'node:path';
import type { HandlerName } from './function-settings.ts';

/**
 * Finds the folder of a handler that was built before.
 * An installed package has one folder per function and no sources. Undefined in a checkout, where
 * the sources are bundled.
 */
export function findHandlerFolder(name: HandlerName): string | undefined {
  const folder = path.join(import.meta.dirname, '../../handlers', name);
  return existsSync(path.join(folder, 'index.mjs')) ? folder : undefined;
}
