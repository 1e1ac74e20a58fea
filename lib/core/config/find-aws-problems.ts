import type { AwsSection, AwsStage } from './aws-schema.ts';
import { type ConfigProblem, formatPath } from './describe-issues.ts';
import { nearestWord } from './nearest-word.ts';

/**
 * Finds contradictions between the keys of the section `aws`, for every stage.
 * `aliases` are all models that a stage may name.
 */
export function findAwsProblems(
  aws: AwsSection | undefined,
  aliases: readonly string[],
): readonly ConfigProblem[] {
  return Object.entries(aws?.stages ?? {}).flatMap(([name, stage]) => {
    const path = ['aws', 'stages', name];
    return [
      ...findVpcProblems(stage, path),
      ...findDatabaseProblems(stage, path),
      ...findAliasProblems(stage, path, aliases),
    ];
  });
}

function findVpcProblems({ vpc, account, region }: AwsStage, path: readonly string[]): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const report = (key: string, message: string) =>
    problems.push({ path: formatPath([...path, 'vpc', key]), message });
  const canLookUp = account !== undefined && region !== undefined;
  for (const key of ['availabilityZones', 'privateSubnetIds'] as const) {
    const other = key === 'availabilityZones' ? vpc.privateSubnetIds : vpc.availabilityZones;
    if (vpc[key] === undefined && (other !== undefined || !canLookUp))
      report(
        key,
        'is missing; give availabilityZones and privateSubnetIds, or neither and the stage an account and a region, so that cdk looks the VPC up',
      );
  }
  const subnets = vpc.privateSubnetIds?.length;
  for (const key of ['availabilityZones', 'privateRouteTableIds'] as const) {
    const given = vpc[key]?.length;
    if (given !== undefined && subnets !== undefined && given !== subnets)
      report(key, `has ${given} entries for ${subnets} private subnets; give one for each`);
  }
  if (vpc.s3Endpoint && vpc.privateSubnetIds !== undefined && vpc.privateRouteTableIds === undefined)
    report('privateRouteTableIds', 'is missing; s3Endpoint needs the route table of each private subnet');
  return problems;
}

function findDatabaseProblems({ database }: AwsStage, path: readonly string[]): ConfigProblem[] {
  if ((database.secretArn === undefined) !== (database.iam === undefined)) return [];
  const message =
    database.iam === undefined
      ? 'is missing; give secretArn, or iam: { user, resourceId }'
      : 'stands beside iam; give one of the two';
  return [{ path: formatPath([...path, 'database', 'secretArn']), message }];
}

function findAliasProblems(
  { providerSecrets }: AwsStage,
  path: readonly string[],
  aliases: readonly string[],
): ConfigProblem[] {
  return Object.keys(providerSecrets)
    .filter(alias => !aliases.includes(alias))
    .map(alias => {
      const nearest = nearestWord(alias, aliases);
      const suggestion = nearest === undefined ? '' : `; did you mean "${nearest}"?`;
      return {
        path: formatPath([...path, 'providerSecrets', alias]),
        message: `is no model${suggestion} (known: ${aliases.join(', ')})`,
      };
    });
}
