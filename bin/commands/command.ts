import type { ConsoleDependencies } from '../../lib/wiring/deployment.ts';
import type { Flag } from '../terminal/flag.ts';
import { durationFlag, switchFlag, textFlag, wholeNumberFlag } from '../terminal/flag.ts';
import type { Flags, FlagValues } from '../terminal/read-flags.ts';
import type { Terminal } from '../terminal/terminal.ts';

export interface CommandContext<Known extends Flags = Flags> {
  readonly flags: FlagValues<Known>;
  readonly positionals: readonly string[];
  readonly terminal: Terminal;
  /** Aborts at SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  /** In place of AWS and of time; undefined: the real ones. */
  readonly surroundings?: ConsoleDependencies | undefined;
}

export interface Command {
  readonly summary: string;
  readonly flags: Flags;
  /** What stands for the argument in the help text; undefined: the command takes none. */
  readonly argument?: string;
  /** Resolves with the exit code: 0 complete, 3 finished with failed items, 2 usage or configuration, 1 anything else. */
  run(context: CommandContext<never>): Promise<number>;
}

export function defineCommand<const Known extends Flags>(command: {
  readonly summary: string;
  readonly flags: Known;
  readonly argument?: string;
  run(context: CommandContext<Known>): Promise<number>;
}): Command {
  return command as unknown as Command;
}

/** Flags of every command that reads a configuration and opens its database. */
export const workspaceFlags = {
  config: textFlag('FILE', 'configuration to use (./freshet.config.ts, else the demo)'),
  'database-url': textFlag(
    'URL',
    'PostgreSQL to use instead of DATABASE_URL, the configuration or the embedded one',
  ),
  json: switchFlag('one JSON object on standard output'),
  help: switchFlag('this text'),
} as const satisfies Flags;

/** Flags of `run` and `start`; what they leave out, the configuration's `limits` say. */
export const runFlags = {
  ...workspaceFlags,
  'max-items': wholeNumberFlag('N', 'stop after about this many rows', { least: 1, most: 1_000_000_000 }),
  'batch-size': wholeNumberFlag('N', 'rows per message and texts per call', { least: 1, most: 2048 }),
  concurrency: wholeNumberFlag('N', 'calls at the same time', { least: 1, most: 256 }),
  'max-chars': wholeNumberFlag('N', 'longest text, in characters', { least: 1, most: 100_000_000 }),
  'pause-ms': wholeNumberFlag('N', 'pause after each batch, in milliseconds', { least: 0, most: 3_600_000 }),
  'timeout-sec': wholeNumberFlag('N', 'longest provider call, in seconds', { least: 1, most: 600 }),
  'report-every': durationFlag('TIME', 'between two progress lines (10s) where the line cannot be rewritten'),
  'failure-log': textFlag('FILE', 'write the failed rows there as JSON lines: ids and codes, no text'),
  'max-wait': durationFlag('TIME', 'give up when nothing moves for this long (5m)'),
} as const satisfies Readonly<Record<string, Flag<unknown>>>;

/** `run` alone can go on. */
export const watchFlags = {
  ...runFlags,
  watch: switchFlag('go on when nothing is stale, until interrupted'),
  'watch-interval': durationFlag('TIME', 'between two looks (10s)'),
} as const satisfies Flags;
