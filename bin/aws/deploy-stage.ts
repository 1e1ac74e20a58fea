import type { AwsWorld } from './aws-world.ts';
import { contextOf, type StageOptions, stacksOf } from './stage-options.ts';

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
  for (const stack of stacks) {
    const outputs = await world.readOutputs(stack);
    world.say(`${stack}:`);
    for (const [name, value] of [...(outputs ?? [])].sort(([left], [right]) => (left < right ? -1 : 1)))
      if (!name.startsWith('PublishOutput')) world.say(`  ${name} = ${value}`);
  }
}
