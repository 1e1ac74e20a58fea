import { type App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { UserPool } from 'aws-cdk-lib/aws-cognito';
import { SubnetType, Vpc } from 'aws-cdk-lib/aws-ec2';
import { Key } from 'aws-cdk-lib/aws-kms';
import {
  AuroraPostgresEngineVersion,
  ClusterInstance,
  DatabaseCluster,
  DatabaseClusterEngine,
} from 'aws-cdk-lib/aws-rds';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { describe, expect, test } from 'vitest';
import { EmbeddingPipeline, type EmbeddingPipelineProps } from '../../lib/constructs/embedding-pipeline.ts';
import { UsageError } from '../../lib/core/errors.ts';
import { configInput, createApp, demoSecret, noAssets, openAiSecret } from '../factories/pipeline-stack.ts';
import { resourcesOf } from '../templates/resources-of.ts';

const database = { host: 'db.example.com', name: 'app', secretArn: demoSecret };

function createStack(app: App = createApp()): Stack {
  return new Stack(app, 'shop', { env: { account: '111122223333', region: 'eu-west-1' } });
}

/** Creates a pipeline with props as somebody without a type checker writes them. */
function create(
  props: object,
  stack = createStack(),
  vpc: unknown = new Vpc(stack, 'Vpc'),
): EmbeddingPipeline {
  const given: unknown = { config: configInput(), vpc, database, assets: noAssets, ...props };
  return new EmbeddingPipeline(stack, 'Embeddings', given as EmbeddingPipelineProps);
}

function refusalOf(props: object, ...place: [stack?: Stack, vpc?: unknown]): string {
  try {
    create(props, ...place);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    const { message, remedy } = error as UsageError;
    return `${message} ${remedy ?? ''}`;
  }
  return 'not refused';
}

describe('a pipeline in a stack of one’s own is refused, by the name of the prop and with what is expected', () => {
  test.each<[object, string]>([
    [{ vpc: undefined }, 'vpc: expected the network of the functions'],
    [{ database: undefined }, 'database: expected an object such as { host, name, secretArn }'],
    [{ config: undefined }, 'expected an object made by defineConfig'],
    [{ sloMinute: 3 }, 'sloMinute: is not a known key; did you mean "sloMinutes"?'],
    [{ stage: 'Prod EU' }, 'stage: expected the name of a stage: lower-case letters'],
    [{ stage: '' }, 'stage: expected the name of a stage'],
    [{ stage: 'a'.repeat(40) }, 'stage: expected the name of a stage'],
    [{ database: { ...database, host: '' } }, 'database.host: expected a host name'],
    [{ database: { ...database, name: '' } }, 'database.name: expected the name of a database'],
    [{ database: { ...database, port: '5432' } }, 'database.port: expected a whole number from 1 to 65535'],
    [{ database: { host: 'h', name: 'app' } }, 'database.secretArn: is missing; give secretArn, or iam'],
    [
      { database: { ...database, iam: { user: 'freshet', resourceId: 'cluster-ABC' } } },
      'database.secretArn: stands beside iam',
    ],
    [{ database: { ...database, secretArn: 'freshet/db' } }, 'database.secretArn: expected the ARN'],
    [{ database: { ...database, secretKeyArn: 'alias/own' } }, 'database.secretKeyArn: expected the ARN'],
    [
      { database: { ...database, certificateAuthority: 'rdss' } },
      'database.certificateAuthority: expected "rds", "proxy"',
    ],
    [{ database: { ...database, maxConnections: 0 } }, 'database.maxConnections: expected a whole number'],
    [{ database: { ...database, password: 'x' } }, 'database.password: is not a known key'],
    [
      { database: { ...database, host: 'db.example.com\n' } },
      'database.host: has blanks or a line break at an end',
    ],
    [{ alarms: { email: [' ops@example.com'] } }, 'alarms.email[0]: has blanks or a line break at an end'],
    [{ sloMinutes: 0 }, 'sloMinutes: expected a whole number from 1 to 10080, got 0'],
    [{ sloMinutes: '15' }, 'sloMinutes: expected a whole number from 1 to 10080, got "15"'],
    [{ maxConcurrency: { fresh: 1 } }, 'maxConcurrency.fresh: expected a whole number from 2 to 1000'],
    [{ maxConcurrency: { fresh: 4, embed: 8 } }, 'maxConcurrency: embed bounds the queues of all models'],
    [{ schedules: { incremental: 'every 5 minutes' } }, 'schedules.incremental: expected "rate(5 minutes)"'],
    [{ schedules: { full: 'cron(0 25 * * ? *)' } }, 'schedules.full: expected "rate(5 minutes)" or "cron('],
    [{ schedules: { incremental: 'rate(1 hour)' } }, '  schedules.incremental looks for edits every 60'],
    [{ schedules: { timeZone: 'Mars/Olympus' } }, 'schedules.timeZone: expected an IANA time zone'],
    [{ schedules: { sources: { nws: 'rate(1 minute)' } } }, '  schedules.sources.nws is no source'],
    [{ alarms: { email: ['nobody'] } }, 'alarms.email[0]: expected an address such as'],
    [{ alarms: { budgetUsd: -1 } }, 'alarms.budgetUsd: expected US dollars per day, more than 0'],
    [{ alarms: { emial: [] } }, 'alarms.emial: is not a known key; did you mean "email"?'],
    [{ providerSecrets: { opnai: openAiSecret } }, 'providerSecrets.opnai: is no model; did you mean'],
    [{ config: configInput({ models: ['openai'] }) }, 'name its ARN at providerSecrets.openai'],
    [{ inferenceComponentName: 'e5' }, 'inferenceComponentName: "e5" serves no model of the configuration'],
    [{ api: { audience: 'search' } }, 'api.issuer: expected the `iss` of tokens'],
    [{ logRetention: 31 }, 'logRetention: expected days as RetentionDays has them'],
    [{ encryptionKeys: { queues: 'alias/own' } }, 'encryptionKeys.queues: expected a key of KMS'],
    [{ paused: 'true' }, 'paused: expected true or false'],
    [{ vpcSubnets: { subnetType: SubnetType.PUBLIC } }, 'The prop `vpcSubnets` chooses public subnets'],
    [{ vpcSubnets: { subnetGroupName: 'app' } }, '(prop `vpcSubnets`): There are no subnet groups with name'],
  ])('%j', (props, expected) => {
    const refusal = refusalOf(props);

    expect(refusal).toContain(expected);
    expect(refusal).not.toContain('aws.stages');
  });

  test('where the network has no private subnets, with what to choose', () => {
    const stack = createStack();
    const vpc = new Vpc(stack, 'Open', {
      natGateways: 0,
      subnetConfiguration: [{ name: 'open', subnetType: SubnetType.PUBLIC }],
    });

    expect(refusalOf({}, stack, vpc)).toMatch(/prop `vpcSubnets`.*Give `vpcSubnets` private subnets/s);
  });

  test.each<[string, object]>([
    ['the key itself', { providerSecrets: { openai: 'sk-canary' } }],
    ['a URL as host', { database: { ...database, host: 'postgres://app:canary@db/app' } }],
    ['the address of a webhook', { alarms: { webhook: 'https://hooks.example.com/canary' } }],
    ['a URL as database', { database: 'postgres://app:canary@db/app' }],
    ['a key as the secrets', { providerSecrets: 'sk-canary' }],
    ['an address as the alarms', { alarms: 'https://hooks.example.com/canary' }],
  ])('without repeating what may be a secret: %s', (_, props) => {
    expect(refusalOf(props)).toContain('got another value');
    expect(refusalOf(props)).not.toContain('canary');
  });
});

describe('what only the deployment knows is taken as it is', () => {
  const stack = createStack();
  const vpc = new Vpc(stack, 'Vpc');
  const cluster = new DatabaseCluster(stack, 'Database', {
    engine: DatabaseClusterEngine.auroraPostgres({ version: AuroraPostgresEngineVersion.VER_17_7 }),
    vpc: vpc as never,
    writer: ClusterInstance.serverlessV2('writer'),
  });
  const secretKey = new Key(stack, 'SecretKey');
  const secret = new Secret(stack, 'OpenAi', { encryptionKey: secretKey });
  const pool = new UserPool(stack, 'Users');
  create(
    {
      config: configInput({ models: ['openai'] }),
      database: {
        host: cluster.clusterEndpoint.hostname,
        port: cluster.clusterEndpoint.port,
        name: 'app',
        secretArn: cluster.secret!.secretArn,
        securityGroup: cluster.connections.securityGroups[0],
        maxConnections: 100,
      },
      providerSecrets: { openai: { secretArn: secret.secretArn, secretKeyArn: secretKey.keyArn } },
      api: { issuer: pool.userPoolProviderUrl, audience: 'search' },
      schedules: { incremental: undefined },
    },
    stack,
    vpc,
  );
  const template = Template.fromStack(stack);

  test.each<[string, object, string]>([
    ['a misspelt key', { secretKeyARN: secretKey.keyArn }, 'secretKeyARN: is not a known key; did you mean'],
    ['no ARN', { secretKeyArn: 'alias/own' }, 'secretKeyArn: expected the ARN of a KMS key'],
    ['no text', { secretKeyArn: 5 }, 'secretKeyArn: expected the ARN of a KMS key'],
    ['no secret', { secretArn: undefined, secretKeyArn: secretKey.keyArn }, 'secretArn: expected the ARN of'],
  ])('and beside it %s is refused', (_, beside, expected) => {
    const providerSecrets = { openai: { secretArn: secret.secretArn, ...beside } };

    expect(refusalOf({ config: configInput({ models: ['openai'] }), providerSecrets })).toContain(
      `providerSecrets.openai.${expected}`,
    );
  });

  test('the issuer of a user pool beside it', () => {
    const [authorizer] = resourcesOf<{ JwtConfiguration: { Issuer: unknown } }>(
      template,
      'AWS::ApiGatewayV2::Authorizer',
    );

    expect(authorizer?.properties.JwtConfiguration.Issuer).toEqual({
      'Fn::GetAtt': [expect.stringMatching(/^Users/), 'ProviderURL'],
    });
  });

  test('host, port and login of a cluster beside it', () => {
    const settings = JSON.stringify(template.findResources('AWS::Lambda::Function'));

    expect(settings).toContain('Endpoint.Address');
    expect(settings).toContain('Endpoint.Port');
  });
});
