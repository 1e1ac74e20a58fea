import type { SqlDatabase } from '../adapters/sql/sql-database.ts';

/** What a function finds around it. Tests of the built bundles give their own. */
export interface LambdaSurroundings {
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Where `freshet.config.json` lies. */
  readonly directory: string;
  /** Takes a line without its end. Not the console, which the runtime wraps into objects of its own: metrics must stay the line they are. */
  readonly writeLine: (line: string) => void;
  /** Undefined: the server that the deployment names. */
  readonly openDatabase?: (() => Promise<SqlDatabase>) | undefined;
}

export function readSurroundings(): LambdaSurroundings {
  return {
    variables: process.env,
    directory: process.env.LAMBDA_TASK_ROOT ?? process.cwd(),
    writeLine: line => void process.stdout.write(`${line}\n`),
  };
}
