import { GetFunctionConfigurationCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import { askAws } from '../aws/ask-aws.ts';

/** Reads a variable of a deployed function's environment. */
export async function readVariable(
  client: LambdaClient,
  functionName: string,
  variable: string,
): Promise<string | undefined> {
  return askAws('lambda:GetFunctionConfiguration', async () => {
    const command = new GetFunctionConfigurationCommand({ FunctionName: functionName });
    const { Environment } = await client.send(command);
    return Environment?.Variables?.[variable];
  });
}
