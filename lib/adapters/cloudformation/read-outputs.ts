import { type CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { askAws } from '../aws/ask-aws.ts';
import { errorName } from '../aws/to-aws-failure.ts';

/**
 * Reads the outputs of a stack; undefined where no stack has that name.
 * CloudFormation answers `ValidationError` then, which means nothing else for a well-formed name.
 */
export async function readOutputs(
  client: CloudFormationClient,
  stackName: string,
): Promise<ReadonlyMap<string, string> | undefined> {
  return askAws('cloudformation:DescribeStacks', async () => {
    try {
      const { Stacks } = await client.send(new DescribeStacksCommand({ StackName: stackName }));
      const outputs = Stacks?.[0]?.Outputs ?? [];
      return new Map(outputs.map(({ OutputKey, OutputValue }) => [OutputKey ?? '', OutputValue ?? '']));
    } catch (error) {
      if (errorName(error) === 'ValidationError') return undefined;
      throw error;
    }
  });
}
