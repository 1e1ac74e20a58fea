import { UsageError } from '../../lib/core/errors/usage-error.ts';
import { type Flags, type FlagValues, readFlags } from '../terminal/read-flags.ts';
import { reportError } from '../terminal/report-error.ts';
import { createTerminal } from '../terminal/terminal.ts';
import type { AwsWorld } from './aws-world.ts';
import { openAwsWorld } from './open-aws-world.ts';
import type { stageFlags } from './stage-options.ts';

/** Runs what an `npm run` script started, and leaves its exit code: 2 for what a person can mend. */
export async function runTool<Known extends Flags & Pick<typeof stageFlags, 'region' | 'profile'>>(
  flags: Known,
  run: (world: AwsWorld, values: FlagValues<Known>) => Promise<void>,
): Promise<void> {
  const terminal = createTerminal({
    json: false,
    output: process.stdout,
    errors: process.stderr,
    now: () => Date.now(),
  });
  try {
    const { values, positionals } = readFlags(process.argv.slice(2), flags);
    if (positionals.length > 0)
      throw new UsageError(
        `There is no argument ${JSON.stringify(positionals[0])}.`,
        `Flags, after two dashes: ${Object.keys(flags)
          .map(name => `--${name}`)
          .join(' ')}`,
      );
    const { region, profile } = values as FlagValues<typeof stageFlags>;
    await run(openAwsWorld({ region, profile, say: line => terminal.line(line) }), values);
  } catch (error) {
    process.exitCode = reportError(error, terminal);
  }
}
