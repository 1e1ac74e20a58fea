import { UsageError } from '../../lib/core/errors.ts';
import { switchFlag } from '../terminal/flag.ts';
import type { AwsWorld, Identity } from './aws-world.ts';
import { contextOf, gpuStackOf, helpFlag, type StageOptions, stacksOf, stageFlags } from './stage-options.ts';

export const destroyFlags = {
  ...stageFlags,
  yes: switchFlag('deletes; without it nothing is done'),
  ...helpFlag,
};

export interface DestroyOptions extends StageOptions {
  readonly yes?: boolean;
}

/**
 * Deletes the stacks of a stage. A bucket with objects cannot be deleted, and the functions may put one until they are gone: it is
 * emptied before, and once more where the deletion failed.
 */
export async function destroyStage(world: AwsWorld, options: DestroyOptions): Promise<void> {
  const identity = await world.identify();
  const { account, region } = identity;
  const found: string[] = [];
  for (const stack of [gpuStackOf(options), ...stacksOf(options)])
    if ((await world.readOutputs(stack)) !== undefined) found.push(stack);
  if (found.length === 0)
    throw new UsageError(
      `There is no stack ${stacksOf(options).join(' or ')} in account ${account}, ${region}.`,
      'Name another one with --stage, --region or --profile.',
    );
  const database = options.example ? ' The example database and its vectors go with it.' : '';
  if (options.yes !== true)
    throw new UsageError(
      `This deletes ${found.join(' and ')} in account ${account}, ${region}.${database} Nothing was done yet.`,
      'Add --yes.',
    );
  world.say(`Deleting ${found.join(' and ')} in account ${account}, ${region}.`);
  await emptyClaims(world, options);
  const stacks = [...new Set([...found, ...stacksOf(options)])];
  await destroy(world, stacks, options, identity).catch(async () => {
    world.say('The deletion failed; once more, with the bucket emptied again.');
    await emptyClaims(world, options);
    await destroy(world, stacks, options, identity);
  });
  world.say('Deleted. No database of yours was touched; schema freshet stays where it is.');
}

async function destroy(
  world: AwsWorld,
  stacks: readonly string[],
  options: DestroyOptions,
  identity: Identity,
): Promise<void> {
  await world.cdk(['destroy', ...stacks, ...contextOf(options), '--force'], identity);
}

async function emptyClaims(world: AwsWorld, { stage }: StageOptions): Promise<void> {
  const bucket = (await world.readOutputs(`freshet-${stage}`))?.get('ClaimsBucketName');
  if (bucket === undefined) return;
  world.say(`  ${await world.emptyBucket(bucket)} objects deleted from ${bucket}`);
}
