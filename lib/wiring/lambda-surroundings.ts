import type { SqlDatabase } from '../adapters/sql/sql-database.ts';

/** What a function finds around it. Tests of the built bundles give their own. */
export interface LambdaSurroundings {
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** The folder that `freshet.config.json` lies in. */
  readonly directory: string;
  /**
   * Writes a line, which is given without its line end.
   * The console must not be used, because the runtime wraps its lines into objects. Lines of
   * metrics must stay as they are.
   */
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
