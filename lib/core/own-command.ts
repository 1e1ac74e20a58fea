/** Set where a package is built, whose users have no scripts of this repository. */
declare const FRESHET_COMMAND: string | undefined;

/**
 * What stands before the words of a command, as people type it.
 * A checkout has the script of its `package.json`. An installed package has the program alone.
 */
export const FRESHET = typeof FRESHET_COMMAND === 'string' ? FRESHET_COMMAND : 'npm run freshet --';

/** Folder of the pages, from the folder in which people type commands. */
export const DOCS = typeof FRESHET_COMMAND === 'string' ? 'node_modules/freshet/docs' : 'docs';

/** What `FRESHET_COMMAND` is in a package. */
export const PACKED_COMMAND = 'npx freshet';

/** A deployed stage, as the flags of `freshet aws` name it. */
export interface StageAddress {
  readonly stage: string;
  /**
   * The stack with its construct, where an app of one's own made it.
   * Undefined: the stack of that stage, as `npm run deploy` makes it.
   */
  readonly stack?: string | undefined;
}

/** The name of the stack that `npm run deploy` makes of a stage. */
export function stackNameOf(stage: string): string {
  return `freshet-${stage}`;
}

/** The flags that name a stage. A stack can hold several, so that a stack alone is not enough. */
function flagsOf({ stage, stack }: StageAddress): string {
  return stack === undefined ? `--stage ${stage}` : `--stack ${stack} --stage ${stage}`;
}

/** Composes the line that a person types to give a stage a command of `freshet aws`. */
export function lineOnStage(words: string, address: StageAddress): string {
  return `${FRESHET} aws ${words} ${flagsOf(address)}`;
}

/** Composes the line that deploys a stage again. */
export function deploymentLine({ stage, stack }: StageAddress): string {
  return stack === undefined ? `npm run deploy -- --stage ${stage}` : `npx cdk deploy ${stack}`;
}
