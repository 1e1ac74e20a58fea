import { UsageError } from '../../lib/core/errors.ts';
import { type Flags, type FlagValues, readFlags, showFlags } from '../terminal/flags.ts';
import { reportError } from '../terminal/reports.ts';
import { createTerminal } from '../terminal/terminal.ts';
import { smokeFlags, smokeStage } from './smoke-stage.ts';
import {
  deployFlags,
  deployStage,
  destroyFlags,
  destroyStage,
  type helpFlag,
  type stageFlags,
} from './stages.ts';
import { type AwsWorld, openAwsWorld } from './world.ts';

interface Tool<Known extends Flags> {
  /** Name of the script in `package.json`. */
  readonly name: string;
  readonly summary: string;
  readonly flags: Known;
  run(world: AwsWorld, values: FlagValues<Known>): Promise<void>;
}

type CommonFlags = Pick<typeof stageFlags, 'region' | 'profile'> & typeof helpFlag;

const DEPLOY: Tool<typeof deployFlags> = {
  name: 'deploy',
  summary: 'says account and region, deploys a stage, prints what came of it',
  flags: deployFlags,
  run: (world, { stage = 'dev', config, example = false, paused, yes }) =>
    deployStage(world, { stage, config, example, paused: paused ?? false, yes: yes ?? false }),
};

const DESTROY: Tool<typeof destroyFlags> = {
  name: 'destroy',
  summary: 'says what of a stage would go, and where; with --yes deletes it',
  flags: destroyFlags,
  run: (world, { stage = 'dev', config, example = false, yes }) =>
    destroyStage(world, { stage, config, example, yes: yes ?? false }),
};

const SMOKE: Tool<typeof smokeFlags> = {
  name: 'smoke',
  summary: 'deploys the example database with a pipeline on it, proves it from outside, destroys it',
  flags: smokeFlags,
  run: (world, { stage = 'smoke', rows, keep }) => smokeStage(world, { stage, rows, keep: keep ?? false }),
};

/**
 * Runs what an `npm run` script started, and leaves its exit code.
 * A person can mend what ends with code 2.
 */
async function runTool<Known extends Flags & CommonFlags>(
  { name, summary, flags, run }: Tool<Known>,
  words: readonly string[],
): Promise<void> {
  const terminal = createTerminal({
    json: false,
    output: process.stdout,
    errors: process.stderr,
    now: () => Date.now(),
  });
  const usage = `npm run ${name} -- [flags]`;
  try {
    const { values, positionals } = readFlags(words, flags);
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

/** The script of `package.json` gives the first word; the others are typed by a person. */
const [tool, ...words] = process.argv.slice(2);
if (tool === 'deploy') await runTool(DEPLOY, words);
else if (tool === 'destroy') await runTool(DESTROY, words);
else if (tool === 'smoke') await runTool(SMOKE, words);
else throw new Error(`${tool} is no script of package.json: deploy, destroy or smoke.`);
