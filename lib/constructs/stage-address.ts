import { Stack, Token } from 'aws-cdk-lib';
import type { IVpc } from 'aws-cdk-lib/aws-ec2';
import type { Construct, IConstruct } from 'constructs';
import { UsageError } from '../core/errors.ts';
import { type StageAddress, stackNameOf } from '../core/own-command.ts';

/** What two pipelines of one account and region cannot both have. */
interface Claimed {
  readonly stage: string;
  /** The network in which the pipeline makes endpoints. Undefined: it makes none. */
  readonly vpc: IVpc | undefined;
}

const PLACE_CONTEXT = 'freshet:settings-place';

/**
 * Says that the settings of a stack's pipeline stand at a path of the configuration.
 * What is refused is then named by that path. Call it before anything is made in the stack.
 */
export function placeSettings(stack: Stack, path: readonly string[]): void {
  stack.node.setContext(PLACE_CONTEXT, path);
}

/** Where a pipeline's settings stand: a path of the configuration, or none: they are props. */
export function placeOfSettings(pipeline: Construct): readonly string[] {
  return pipeline.node.tryGetContext(PLACE_CONTEXT) ?? [];
}

/** The claims of each app, by the construct that made them. */
const claims = new WeakMap<IConstruct, Map<Construct, Claimed>>();

/**
 * Finds out how people name a pipeline, and claims what no other one of its account and region may
 * have: the stage, by which metrics are told apart, and the endpoints of a network.
 * @throws UsageError where another pipeline of the app has claimed it
 */
export function claimAddress(pipeline: Construct, claimed: Claimed): StageAddress {
  const { root } = pipeline.node;
  const others = claims.get(root) ?? new Map<Construct, Claimed>();
  claims.set(root, others);
  for (const [other, theirs] of others) {
    if (!shareAccount(other, pipeline)) continue;
    const paths = `${other.node.path} and ${pipeline.node.path}`;
    if (theirs.stage === claimed.stage)
      throw new UsageError(
        `${paths} are both stage ${claimed.stage}: their metrics, alarms and queues would be taken for one ` +
          'another.',
        'Give each EmbeddingPipeline a `stage` of its own.',
      );
    if (claimed.vpc !== undefined && theirs.vpc === claimed.vpc)
      throw new UsageError(
        `${paths} both make endpoints in the same network, which has room for one of each service.`,
        'Leave `endpoints` out of the second: those of the first serve the whole network.',
      );
  }
  others.set(pipeline, claimed);
  const { stackName } = Stack.of(pipeline);
  return { stage: claimed.stage, stack: stackName === stackNameOf(claimed.stage) ? undefined : stackName };
}

/**
 * Whether two pipelines certainly go to the same account and region.
 * Stacks that name neither can be deployed anywhere, each to another place.
 */
function shareAccount(one: Construct, other: Construct): boolean {
  const [left, right] = [Stack.of(one), Stack.of(other)];
  if (left === right) return true;
  if ([left, right].some(({ account, region }) => Token.isUnresolved(account) || Token.isUnresolved(region)))
    return false;
  return left.account === right.account && left.region === right.region;
}
