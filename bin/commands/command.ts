import type { AskOperator } from '../../lib/ports/operator.ts';
import type { ConsoleDependencies, DeployedStage } from '../../lib/wiring/deployment.ts';
import type { LocalOperator } from '../../lib/wiring/operator.ts';
import type { WorkspaceRequest } from '../../lib/wiring/workspace.ts';
import { type Flags, type FlagValues, switchFlag, textFlag } from '../terminal/flags.ts';
import type { Terminal } from '../terminal/terminal.ts';

/** Where a command is given: on a database (`here`), or on a deployed stage (`freshet aws`). */
export type Place = 'here' | 'stage';

/** What the exit codes of every command mean. */
export const EXIT_CODES = {
  0: 'complete: no row is stale, in flight or failed',
  1:
    'anything else: the provider is down, the database cannot be reached, went away or is in use by ' +
    'another process, an operator paused the source, detection failed',
  2:
    'usage, configuration, or a table that the application changed: the message says what was wrong, ' +
    'where, and what to do',
  3: 'finished, and some rows failed: `failures` lists them',
  4:
    'this run has finished, and rows are still in flight: another run, or the deployed pipeline, held ' +
    'them for longer than `--max-wait`',
  5:
    'rows are stale: `--max-items`, `--max-usd` or a cap of the budget left them, or they changed while ' +
    'the run was ending. The next run goes on',
  130:
    'SIGINT, SIGTERM or `freshet stop`: the batch in hand ended or was given back within 5 seconds; the ' +
    'next run goes on',
} as const;

/** What a command is at one of its places. */
interface PlaceDefinition {
  /** One line for `help` and docs/commands.md. */
  readonly summary: string;
  /** Flags at this place, beside the command's own and those of every command there. */
  readonly flags?: Flags;
  /**
   * Keys of the object under `--json`, in their order; `?` marks one that can be absent.
   * Account, region and stage, which precede them on a stage, are not listed.
   */
  readonly keys: readonly string[];
}

/** A command: what `help`, the parser and the table of docs/commands.md read. */
export interface CommandDefinition {
  /** What stands for the argument in the help text; undefined: the command takes none. */
  readonly argument?: string;
  /** Flags at every place of the command. */
  readonly flags?: Flags;
  /** Codes beside 0, 1, 2 and 130, which every command can end with. */
  readonly exitCodes?: readonly (keyof typeof EXIT_CODES)[];
  readonly here?: PlaceDefinition;
  readonly stage?: PlaceDefinition;
  /**
   * Loads what the command does, when the command is called.
   * `help` must not wait for a database or an SDK.
   */
  readonly load: () => Promise<CommandBody<never>>;
}

/** What a command does. */
export interface CommandBody<Context extends { readonly flags: object }> {
  /**
   * Checks flags against each other.
   * The check comes before a database is opened or anybody is asked for credentials.
   * @throws UsageError where flags do not go together
   */
  check?(flags: Context['flags']): void;
  /** Resolves with the exit code. */
  run(context: Context): Promise<number>;
}

/** What every command gets. `Known` are its flags. */
export interface CommandContext<Known extends Flags = Flags> {
  readonly flags: FlagValues<Known>;
  readonly positionals: readonly string[];
  readonly terminal: Terminal;
  /** Aborts at SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  /** In place of AWS and of time; undefined: the real ones. */
  readonly dependencies?: ConsoleDependencies | undefined;
}

/** What a command that has the place `stage` gets, at each of its places. */
export interface OperatorContext<Known extends Flags = Flags> extends CommandContext<Known> {
  readonly ask: AskOperator;
  /** The database here, which is asked also what no stage answers; undefined on a stage. */
  readonly here: LocalOperator | undefined;
  /** The stage that is operated; undefined: a database here. */
  readonly deployment: DeployedStage | undefined;
  /**
   * Prints the one object of `--json`.
   * On a stage, account, region and stage stand before what is given.
   */
  readonly result: (object: object) => void;
}

/** What a command gets that is given on a stage alone. */
export interface StageContext<Known extends Flags = Flags> extends OperatorContext<Known> {
  readonly deployment: DeployedStage;
}

const everywhereFlags = {
  json: switchFlag('one JSON object on standard output'),
  help: switchFlag('this text'),
} as const satisfies Flags;

/** Flags of every command at a place. */
export const placeFlags = {
  here: {
    config: textFlag('FILE', 'configuration to use (./freshet.config.ts, else the demo)'),
    'database-url': textFlag(
      'URL',
      'PostgreSQL to use instead of DATABASE_URL, the configuration or the embedded one',
    ),
    ...everywhereFlags,
  },
  stage: {
    stage: textFlag('NAME', 'deployed stage (dev)'),
    stack: textFlag('NAME', 'stack of an app of your own that holds the stage (freshet-<stage>)'),
    region: textFlag('NAME', 'region instead of AWS_REGION or the profile’s'),
    profile: textFlag('NAME', 'profile instead of AWS_PROFILE'),
    ...everywhereFlags,
  },
} as const satisfies Readonly<Record<Place, Flags>>;

/**
 * The workspace that a command's flags ask for.
 * @param options `create`: an embedded database that is not there yet is made
 */
export function workspaceRequest(
  {
    flags,
    signal,
    terminal,
  }: Pick<CommandContext, 'signal' | 'terminal'> & { readonly flags: FlagValues<typeof placeFlags.here> },
  { create }: { readonly create: boolean } = { create: false },
): WorkspaceRequest & Pick<CommandContext, 'signal'> {
  return {
    config: flags.config,
    databaseUrl: flags['database-url'],
    directory: process.cwd(),
    create,
    signal,
    onNotice: sentence => terminal.note(sentence),
  };
}
