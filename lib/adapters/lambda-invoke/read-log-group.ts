import { GetFunctionConfigurationCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import { askAws } from '../aws/ask-aws.ts';

/** Reads the name of a deployed function's log group. */
export async function readLogGroup(client: LambdaClient, functionName: string): Promise<string> {
  return askAws('lambda:GetFunctionConfiguration', async () => {
    const command = new GetFunctionConfigurationCommand({ FunctionName: functionName });
    const { LoggingConfig } = await client.send(command);
    return LoggingConfig?.LogGroup ?? `/aws/lambda/${functionName}`;
  });
}
