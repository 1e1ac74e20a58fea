import { COMPATIBLE_FROM, NEEDED_VERSION } from '../../lib/adapters/sql/migrations/migrate.ts';
import { STAGE_NAME, STAGE_NAME_EXPECTATION } from '../../lib/core/config/aws-schema.ts';
import { UsageError } from '../../lib/core/errors.ts';
import { type Flag, switchFlag, textFlag } from '../terminal/flags.ts';
import type { AwsWorld, Identity } from './world.ts';

/** Flags of every command of a stage in `package.json`. */
export const stageFlags = {
  stage: stageFlag(),
  config: textFlag('FILE', 'another configuration than freshet.config.ts'),
  region: textFlag('REGION', 'another region than that of the environment'),
  profile: textFlag('NAME', 'the profile whose credentials are used'),
  example: switchFlag('with the example database'),
};

export const helpFlag = { help: switchFlag('this text') };

function stageFlag(): Flag<string> {
  const flag = textFlag('NAME', 'the stage');
  return {
    ...flag,
    read: (text, name) => {
      if (STAGE_NAME.test(text)) return text;
      throw new UsageError(`--${name} ${JSON.stringify(text)}: expected ${STAGE_NAME_EXPECTATION}.`);
    },
  };
}

interface StageOptions {
  readonly stage: string;
  readonly config?: string | undefined;
  /** With the example database. */
  readonly example: boolean;
}

/** Names of a stage's stacks, the pipeline's last. */
function stacksOf({ stage, example }: StageOptions): string[] {
  return [...(example ? [`freshet-${stage}-database`] : []), `freshet-${stage}`];
}

/**
 * The stack of the GPU endpoint, which a stage of the configuration may have.
 * The pipeline's stack depends on it, so `cdk deploy` brings it up first.
 */
function gpuStackOf({ stage }: Pick<StageOptions, 'stage'>): string {
  return `freshet-${stage}-gpu`;
}

function contextOf({ stage, config, example }: StageOptions): string[] {
  return [
    ...['-c', `stage=${stage}`],
    ...(config === undefined ? [] : ['-c', `config=${config}`]),
    ...(example ? ['-c', 'example=true'] : []),
  ];
}

export const deployFlags = {
  ...stageFlags,
  paused: switchFlag('with schedules and event sources switched off'),
  yes: switchFlag('does not ask before it widens a right or opens a network'),
  ...helpFlag,
};

interface DeployOptions extends StageOptions {
  readonly paused?: boolean;
  /** Does not ask before it widens a right or opens a network. */
  readonly yes?: boolean;
}

/** What a deployment says of the way back, before it begins: a schema does not go back. */
const GOING_BACK = [
  `Schema freshet of its database comes to version ${NEEDED_VERSION} before new code takes events. ` +
    'Where the deployment fails, the code before goes on, and the schema stays.',
  `To go back later, deploy a Freshet that needs schema version ${COMPATIBLE_FROM} or newer: it runs ` +
    'on this schema and leaves it as it is. An older one is refused before it takes events.',
];

/**
 * Says account, region and the way back, deploys the stage, and prints the outputs of its stacks.
 */
export async function deployStage(world: AwsWorld, options: DeployOptions): Promise<void> {
  const identity = await world.identify();
  const stacks = stacksOf(options);
  world.say(`Deploying ${stacks.join(' and ')} to account ${identity.account}, ${identity.region}.`);
  for (const line of GOING_BACK) world.say(line);
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

export const destroyFlags = {
  ...stageFlags,
  yes: switchFlag('deletes; without it nothing is done'),
  ...helpFlag,
};

interface DestroyOptions extends StageOptions {
  readonly yes?: boolean;
}

/**
 * Deletes the stacks of a stage.
 *
 * A bucket with objects cannot be deleted, and the functions may put one until they are gone. So
 * the bucket is emptied before, and once more where the deletion failed.
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
      `This deletes ${found.join(' and ')} in account ${account}, ${region}.${database} Nothing was ` +
        'done yet.',
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
