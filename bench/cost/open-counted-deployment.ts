import { sql } from 'kysely';
import { openPglite } from '../../lib/adapters/pglite/open-pglite.ts';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import type { Tokenizer } from '../../lib/ports/provider.ts';
import { describeConfig, openDeployment } from '../../test/deployments/open-deployment.ts';
import { startLoopbackLambdaApi } from '../../test/doubles/loopback-lambda-api.ts';
import type { WordnetRow } from '../apparatus/wordnet-rows.ts';
import { countDatabaseBytes, countRequests } from './count-traffic.ts';

const MAPPINGS = { embed: { served: ['fresh', 'bulk'] }, write: ['results'] };

export type CountedDeployment = Awaited<ReturnType<typeof openCountedDeployment>>;

/** Opens a deployment on this machine that counts what its functions send and receive. */
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
  const settings = { ...deployment.written, eventSources: MAPPINGS };
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

/** Creates the demo's table with WordNet's entries. Resolves with the tokens of its texts. */
export async function createItems(
  { kysely }: SqlDatabase,
  rows: readonly WordnetRow[],
  tokenizer: Tokenizer,
): Promise<number> {
  await sql`CREATE TABLE public.ai_items (id bigint PRIMARY KEY, title text, summary text,
    updated_at timestamptz NOT NULL DEFAULT now())`.execute(kysely);
  const values = JSON.stringify(rows.map(({ title, summary }, index) => ({ id: index + 1, title, summary })));
  await sql`INSERT INTO public.ai_items (id, title, summary, updated_at)
    SELECT id, title, summary, now() - interval '1 day' + id * interval '1 second'
      FROM jsonb_to_recordset(${values}::jsonb) AS row (id bigint, title text, summary text)`.execute(kysely);
  let tokens = 0;
  for (const { title, summary } of rows) tokens += await tokenizer.count(`${title}\n${summary}`);
  return tokens;
}
