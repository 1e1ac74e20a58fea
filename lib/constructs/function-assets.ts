import type { Code } from 'aws-cdk-lib/aws-lambda';
import type { HandlerName } from './function-settings.ts';

/**
 * Where the functions' code comes from.
 * The code is bundled from sources, or lies in the folders of an installed package. Tests give
 * small code of their own.
 */
export interface FunctionAssets {
  codeOf(name: HandlerName): Code;
}
