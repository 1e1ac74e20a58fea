import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import type { FreshetConfig } from '../../lib/core/config/config-schema.ts';
import {
  type DeploymentSettings,
  parseDeploymentSettings,
  type WrittenSettings,
} from '../../lib/core/config/deployment-settings.ts';
import { type LoopbackServer, startLoopbackOpenAiServer } from '../doubles/loopback-openai-server.ts';
import { startLoopbackSecretsManager } from '../doubles/loopback-secrets-manager.ts';
import { LOCAL_CREDENTIALS, startFauxqs } from '../servers/start-fauxqs.ts';

export const MAX_RECEIVES = 3;
export const KEY_ARN = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:key';
export const DATABASE_ARN = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:database';
const BUCKET = 'claims';

const NO_DATABASE: DeploymentSettings['database'] = {
  ...{ host: 'embedded.invalid', port: 5432, name: 'freshet', certificateAuthority: 'rds' },
};

export type Deployment = Awaited<ReturnType<typeof openDeployment>>;

/**
 * Opens on this machine everything of AWS that the functions touch.
 *
 * That is: queues with their dead letters, a bucket, secrets and a provider.
 */
export async function openDeployment(options: {
  readonly dimensions: number;
  /** Undefined: none that is asked; the functions are given an open database. */
  readonly database?: DeploymentSettings['database'];
  readonly databaseSecret?: { readonly username: string; readonly password: string };
}) {
  const { server: fauxqs, access } = await startFauxqs();
  const endpoint = `http://127.0.0.1:${fauxqs.port}`;
  fauxqs.createBucket(BUCKET);
  const provider = await startLoopbackOpenAiServer({ dimensions: options.dimensions, recordCalls: false });
  const secrets = await startLoopbackSecretsManager({
    [KEY_ARN]: 'sk-of-the-deployment\n',
    [DATABASE_ARN]: JSON.stringify(options.databaseSecret ?? { username: 'freshet', password: 'unused' }),
  });
  const client = new SQSClient({ region: access.region, endpoint, credentials: LOCAL_CREDENTIALS });
  const fresh = await createQueue(client, 'freshet-served-fresh', endpoint);
  const bulk = await createQueue(client, 'freshet-served-bulk', endpoint);
  const results = await createQueue(client, 'freshet-results', endpoint);
  const written: WrittenSettings = {
    stage: 'test',
    region: access.region,
    database: options.database ?? NO_DATABASE,
    queueUrlPrefix: results.url.replace(/-results$/, ''),
    models: ['served'],
    claimsBucket: BUCKET,
    keySecrets: { served: KEY_ARN },
    embedVisibilitySeconds: 720,
    resultsVisibilitySeconds: 360,
    maxReceiveCount: MAX_RECEIVES,
  };
  const variables = {
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    AWS_REGION: access.region,
    AWS_ENDPOINT_URL_S3: endpoint,
    AWS_ENDPOINT_URL_SQS: endpoint,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.endpoint,
    FRESHET_DEPLOYMENT: JSON.stringify(written),
  };
  const restore = setVariables(variables);
  return {
    written,
    settings: parseDeploymentSettings(variables.FRESHET_DEPLOYMENT),
    variables,
    provider,
    secrets,
    client,
    queues: { fresh, bulk, results },
    send: (url: string, body: string) =>
      client.send(new SendMessageCommand({ QueueUrl: url, MessageBody: body })),
    deadBodies: async () => [
      ...(await drain(client, fresh.deadLetterUrl)),
      ...(await drain(client, bulk.deadLetterUrl)),
      ...(await drain(client, results.deadLetterUrl)),
    ],
    close: async () => {
      restore();
      client.destroy();
      await Promise.all([provider.close(), secrets.close(), fauxqs.stop()]);
    },
  };
}

export function describeConfig(provider: LoopbackServer, dimensions: number): FreshetConfig {
  return {
    models: {
      served: {
        provider: 'openai',
        modelId: 'served-model',
        dimensions,
        sendDimensions: true,
        baseUrl: provider.baseUrl,
      },
    },
    sources: [
      {
        name: 'ai_items',
        table: 'public.ai_items',
        text: { columns: ['title', 'summary'] },
        model: 'served',
      },
    ],
  };
}

/**
 * Puts the server's address into a queue URL of fauxqs, whose host does not exist.
 *
 * Functions send to the host of the queue's URL.
 */
async function createQueue(client: SQSClient, name: string, endpoint: string) {
  const dead = await client.send(new CreateQueueCommand({ QueueName: `${name}-dead` }));
  const { Attributes } = await client.send(
    new GetQueueAttributesCommand({ QueueUrl: dead.QueueUrl, AttributeNames: ['QueueArn'] }),
  );
  const RedrivePolicy = JSON.stringify({
    deadLetterTargetArn: Attributes?.QueueArn,
    maxReceiveCount: MAX_RECEIVES,
  });
  const made = await client.send(
    new CreateQueueCommand({ QueueName: name, Attributes: { RedrivePolicy, VisibilityTimeout: '300' } }),
  );
  const place = (url = '') => new URL(new URL(url).pathname, endpoint).href;
  return { url: place(made.QueueUrl), deadLetterUrl: place(dead.QueueUrl) };
}

async function drain(client: SQSClient, url: string): Promise<string[]> {
  const bodies: string[] = [];
  for (;;) {
    const { Messages = [] } = await client.send(
      new ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: 10 }),
    );
    if (Messages.length === 0) return bodies;
    bodies.push(...Messages.map(({ Body = '' }) => Body));
  }
}

function setVariables(variables: Readonly<Record<string, string | undefined>>): () => void {
  const before = Object.keys(variables).map(name => [name, process.env[name]] as const);
  const put = (name: string, value: string | undefined) => {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  };
  for (const [name, value] of Object.entries(variables)) put(name, value);
  return () => {
    for (const [name, value] of before) put(name, value);
  };
}
