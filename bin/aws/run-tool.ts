import { UsageError } from '../../lib/core/errors.ts';
import { showFlags } from '../commands/show-help.ts';
import { type Flags, type FlagValues, readFlags } from '../terminal/read-flags.ts';
import { reportError } from '../terminal/report-error.ts';
import { createTerminal } from '../terminal/terminal.ts';
import type { AwsWorld } from './aws-world.ts';
import { openAwsWorld } from './open-aws-world.ts';
import type { helpFlag, stageFlags } from './stage-options.ts';

export interface Tool<Known extends Flags> {
  /** Of the script in `package.json`. */
  readonly name: string;
  readonly summary: string;
  readonly flags: Known;
}

type CommonFlags = Pick<typeof stageFlags, 'region' | 'profile'> & typeof helpFlag;

/** Runs what an `npm run` script started, and leaves its exit code: 2 for what a person can mend. */
export async function runTool<Known extends Flags & CommonFlags>(
  { name, summary, flags }: Tool<Known>,
  run: (world: AwsWorld, values: FlagValues<Known>) => Promise<void>,
): Promise<void> {
  const terminal = createTerminal({
    json: false,
    output: process.stdout,
    errors: process.stderr,
    now: () => Date.now(),
  });
  const usage = `npm run ${name} -- [flags]`;
  try {
    const { values, positionals } = readFlags(process.argv.slice(2), flags);
    if (positionals.length > 0)
      throw new UsageError(
        `${name} takes no argument, got ${JSON.stringify(positionals[0])}.`,
        `${usage}: two dashes before the first flag, which npm would keep for itself. Flags: ${Object.keys(
          flags,
        )
          .map(flag => `--${flag}`)
          .join(' ')}`,
      );
    const { region, profile, help } = values as FlagValues<CommonFlags>;
    if (help === true) showFlags({ name, usage, summary, flags }, terminal);
    else await run(openAwsWorld({ region, profile, say: line => terminal.line(line) }), values);
  } catch (error) {
    process.exitCode = reportError(error, terminal);
  }
}
