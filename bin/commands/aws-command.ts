import { type DeployedStage, openDeployment } from '../../lib/wiring/deployment.ts';
import { switchFlag, textFlag } from '../terminal/flag.ts';
import type { Flags, FlagValues } from '../terminal/read-flags.ts';
import { type Command, type CommandContext, defineCommand } from './command.ts';

/** Flags of every `freshet aws` command. */
export const awsFlags = {
  stage: textFlag('NAME', 'deployed stage (dev)'),
  region: textFlag('NAME', 'region instead of AWS_REGION or the profile’s'),
  profile: textFlag('NAME', 'profile instead of AWS_PROFILE'),
  json: switchFlag('one JSON object on standard output'),
  help: switchFlag('this text'),
} as const satisfies Flags;

/** Of the commands that change something. */
export const applyFlag = switchFlag('do it; without this flag the command only says what it would do');

export interface AwsContext<Known extends Flags> extends Pick<CommandContext, 'terminal' | 'signal'> {
  readonly flags: FlagValues<Known & typeof awsFlags>;
  readonly deployment: DeployedStage;
  /** The one object of `--json`, with account, region and stage beside what is given. */
  readonly result: (object: object) => void;
}

/** A command on a deployed stage. Account and region are on standard error before anything of the stage is asked. */
export function defineAwsCommand<const Known extends Flags>(command: {
  readonly summary: string;
  readonly flags: Known;
  /** Throws `UsageError` where flags do not go together: before anybody is asked for credentials. */
  check?(flags: FlagValues<Known & typeof awsFlags>): void;
  run(context: AwsContext<Known>): Promise<number>;
}): Command {
  return defineCommand({
    summary: command.summary,
    flags: { ...command.flags, ...awsFlags },
    async run(context) {
      const { terminal, signal, surroundings } = context;
      const flags = context.flags as FlagValues<Known & typeof awsFlags>;
      command.check?.(flags);
      const { stage = 'dev', region, profile } = context.flags as FlagValues<typeof awsFlags>;
      const deployment = await openDeployment(
        { stage, region, profile },
        identity => terminal.note(`Account ${identity.account} · ${identity.region} · stage ${stage}`),
        surroundings,
      );
      const { account } = deployment;
      const result = (object: object) =>
        terminal.result({ account, region: deployment.region, stage, ...object });
      return command.run({ flags, terminal, signal, deployment, result });
    },
  });
}
