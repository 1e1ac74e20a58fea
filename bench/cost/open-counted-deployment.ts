import { openPglite } from '../../lib/adapters/pglite/open-pglite.ts';
import { describeConfig, openDeployment } from '../../test/deployments/open-deployment.ts';
import { startLoopbackLambdaApi } from '../../test/doubles/loopback-lambda-api.ts';
import { countDatabaseBytes } from './count-database-bytes.ts';
import { countRequests } from './count-requests.ts';

const MAPPINGS = { embed: { served: ['fresh', 'bulk'] }, write: ['results'] };

export type CountedDeployment = Awaited<ReturnType<typeof openCountedDeployment>>;

/** A deployment on this machine whose functions reach queues, bucket, provider and database past something that counts. */
export async function openCountedDeployment(dimensions: number) {
  const protocol = countDatabaseBytes();
  const database = await openPglite({ memory: true });
  const deployment = await openDeployment({
    dimensions,
    database: { host: 'embedded.invalid', port: 5432, name: 'freshet', certificateAuthority: 'rds' },
    databaseSecret: { username: 'freshet', password: 'unused' },
  });
  const uncounted = deployment.variables.AWS_ENDPOINT_URL_SQS;
  const aws = await countRequests(uncounted);
  const provider = await countRequests(new URL(deployment.provider.baseUrl).origin);
  const lambdaApi = await startLoopbackLambdaApi([...MAPPINGS.embed.served, ...MAPPINGS.write]);
  const settings = { ...deployment.settings, eventSources: MAPPINGS };
  const variables: Readonly<Record<string, string>> = {
    ...deployment.variables,
    AWS_ENDPOINT_URL_S3: aws.endpoint,
    AWS_ENDPOINT_URL_SQS: aws.endpoint,
    AWS_ENDPOINT_URL_LAMBDA: lambdaApi.endpoint,
    FRESHET_DEPLOYMENT: JSON.stringify(settings).replaceAll(uncounted, aws.endpoint),
  };
  Object.assign(process.env, variables);
  return {
    ...deployment,
    variables,
    aws,
    openAi: provider,
    protocol,
    database,
    config: describeConfig({ ...deployment.provider, baseUrl: `${provider.endpoint}/v1` }, dimensions),
    close: async () => {
      delete process.env.AWS_ENDPOINT_URL_LAMBDA;
      await deployment.close();
      await Promise.all([aws.close(), provider.close(), lambdaApi.close(), database.close()]);
      protocol.stop();
    },
  };
}
