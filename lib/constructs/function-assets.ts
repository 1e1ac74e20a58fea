import type { Code } from 'aws-cdk-lib/aws-lambda';
import type { HandlerName } from './function-settings.ts';

/** Where the functions' code comes from: bundled from sources, or the folders of an installed package. Tests give a small one of their own. */
export interface FunctionAssets {
  codeOf(name: HandlerName): Code;
}
