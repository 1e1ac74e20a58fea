import { switchFlag } from '../terminal/flag.ts';
import type { AwsWorld } from './aws-world.ts';
import { contextOf, gpuStackOf, helpFlag, type StageOptions, stacksOf, stageFlags } from './stage-options.ts';

export const deployFlags = {
  ...stageFlags,
  paused: switchFlag('with schedules and event sources switched off'),
  yes: switchFlag('does not ask before it widens a right or opens a network'),
  ...helpFlag,
};

export interface DeployOptions extends StageOptions {
  readonly paused?: boolean;
  /** Does not ask before it widens a right or opens a network. */
  readonly yes?: boolean;
}

/** Says where, deploys, and prints what came of it. */
export async function deployStage(world: AwsWorld, options: DeployOptions): Promise<void> {
  const identity = await world.identify();
  const stacks = stacksOf(options);
  world.say(`Deploying ${stacks.join(' and ')} to account ${identity.account}, ${identity.region}.`);
  await world.cdk(
    [
      'deploy',
      ...stacks,
      ...contextOf(options),
      ...(options.paused === true ? ['-c', 'paused=true'] : []),
      ...(options.yes === true ? ['--require-approval', 'never'] : []),
    ],
    identity,
  );
  for (const stack of [gpuStackOf(options), ...stacks]) {
    const outputs = await world.readOutputs(stack);
    if (outputs === undefined && !stacks.includes(stack)) continue;
    world.say(`${stack}:`);
    for (const [name, value] of [...(outputs ?? [])].sort(([left], [right]) => (left < right ? -1 : 1)))
      if (!name.startsWith('PublishOutput')) world.say(`  ${name} = ${value}`);
  }
}
