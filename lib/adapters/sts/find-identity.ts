import { GetCallerIdentityCommand, type STSClient } from '@aws-sdk/client-sts';
import { askAws } from '../aws/ask-aws.ts';

/** Finds the account and the region that the commands after it will touch. */
export async function findIdentity(client: STSClient): Promise<{ account: string; region: string }> {
  return askAws('sts:GetCallerIdentity', async () => {
    const region = await client.config.region();
    const { Account } = await client.send(new GetCallerIdentityCommand({}));
    return { account: Account ?? 'unknown', region };
  });
}
