import { CfnOutput, Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import {
  FlowLogDestination,
  FlowLogTrafficType,
  GatewayVpcEndpointAwsService,
  type IVpc,
  Peer,
  Port,
  SecurityGroup,
  SubnetType,
  Vpc,
} from 'aws-cdk-lib/aws-ec2';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import {
  AuroraPostgresEngineVersion,
  ClusterInstance,
  Credentials,
  DatabaseCluster,
  DatabaseClusterEngine,
} from 'aws-cdk-lib/aws-rds';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import type { FreshetConfig } from '../core/config/config-schema.ts';
import {
  DEFAULT_MAX_CONNECTIONS,
  SAMPLE_CONNECTIONS,
  type SampleSettings,
} from '../core/config/deployment-settings.ts';
import { acknowledge } from './acknowledge.ts';
import { bundleFunctions } from './bundling.ts';
import { FUNCTION_SETTINGS, type FunctionAssets } from './function-settings.ts';
import { HandlerFunction } from './handler-function.ts';
import { DEFAULT_DATABASE_PORT, HTTPS_PORT, type PipelineDatabase } from './network.ts';
import { secretStatements } from './secrets.ts';
import { DeploymentTrigger } from './triggers.ts';

interface ExampleDatabaseStackProps extends StackProps {
  readonly config: FreshetConfig;
  readonly stageName: string;
  readonly assets?: FunctionAssets;
}

const DATABASE = 'example';
const ROLE = 'freshet';
const OWNER = 'owner';

/**
 * An Aurora Serverless v2 PostgreSQL with a sample table, for trying a pipeline.
 * A trial then needs no database of one's own. The state of the database is a copy of what the
 * repository holds; nothing of it belongs into production.
 *
 * The capacity goes down to 0: after five minutes without a connection the database pauses, and
 * only its storage costs. A stage that is deployed with `-c paused=true` lets the database pause.
 * While the schedules tick, the database never pauses, because `guard` looks every minute. The
 * database then runs on half a unit, which is the least of a running database. A first connection
 * after a pause takes some 15 seconds, which the functions wait for.
 */
export class ExampleDatabaseStack extends Stack {
  readonly vpc: IVpc;
  readonly database: PipelineDatabase;

  constructor(scope: Construct, id: string, props: ExampleDatabaseStackProps) {
    const { config, stageName, assets, ...stackProps } = props;
    super(scope, id, {
      description: `Freshet ${stageName}: an example database with a sample table`,
      tags: { app: 'freshet', stage: stageName },
      ...stackProps,
    });
    const network = new ExampleNetwork(this, 'Network');
    this.vpc = network.vpc as IVpc;
    const securityGroup = new SecurityGroup(this, 'SecurityGroup', {
      vpc: this.vpc,
      description: 'The example database: in, whom a rule names; out, nothing',
      allowAllOutbound: false,
    });
    const cluster = this.#createCluster(securityGroup);
    const login = this.#createLogin();
    this.database = {
      host: cluster.clusterEndpoint.hostname,
      port: DEFAULT_DATABASE_PORT,
      name: DATABASE,
      secretArn: login.secretArn,
      securityGroup,
      maxConnections: DEFAULT_MAX_CONNECTIONS - SAMPLE_CONNECTIONS,
    };
    const sample = new ExampleSample(this, 'Sample', {
      config,
      stageName,
      vpc: this.vpc,
      database: { host: cluster.clusterEndpoint.hostname, port: DEFAULT_DATABASE_PORT, name: DATABASE },
      securityGroup,
      ownerSecretArn: cluster.secret!.secretArn,
      pipelineSecretArn: login.secretArn,
      logRetention: RetentionDays.ONE_WEEK,
      after: [cluster, network],
      ...(assets !== undefined && { assets }),
    });
    new CfnOutput(this, 'SampleFunctionName', { value: sample.function.functionName });
    new CfnOutput(this, 'DatabaseEndpoint', {
      value: `${cluster.clusterEndpoint.hostname}:${DEFAULT_DATABASE_PORT}/${DATABASE}`,
    });
    new CfnOutput(this, 'OwnerSecretArn', { value: cluster.secret!.secretArn });
  }

  #createCluster(securityGroup: SecurityGroup): DatabaseCluster {
    const cluster = new DatabaseCluster(this, 'Cluster', {
      engine: DatabaseClusterEngine.auroraPostgres({ version: AuroraPostgresEngineVersion.VER_17_9 }),
      defaultDatabaseName: DATABASE,
      port: DEFAULT_DATABASE_PORT,
      credentials: Credentials.fromUsername(OWNER),
      // RDS makes the password and rotates it every week, without a function of ours.
      manageMasterUserPassword: true,
      writer: ClusterInstance.serverlessV2('Writer', {
        autoMinorVersionUpgrade: true,
        publiclyAccessible: false,
      }),
      serverlessV2MinCapacity: 0,
      serverlessV2MaxCapacity: 2,
      serverlessV2AutoPauseDuration: Duration.minutes(5),
      vpc: this.vpc,
      vpcSubnets: { subnetType: SubnetType.PRIVATE_ISOLATED },
      securityGroups: [securityGroup],
      storageEncrypted: true,
      iamAuthentication: true,
      deletionProtection: false,
      removalPolicy: RemovalPolicy.DESTROY,
      copyTagsToSnapshot: true,
    });
    acknowledge(
      cluster,
      'AwsSolutions-RDS10',
      'It holds a copy of a public sample, and whoever tried it deletes it with one command.',
    );
    return cluster;
  }

  /**
   * Creates the login of the pipeline's role.
   * The password has letters and digits, which need no escaping anywhere; 32 of them are 190 bits.
   */
  #createLogin(): Secret {
    const login = new Secret(this, 'PipelineLogin', {
      description: 'The role of the pipeline in the example database',
      generateSecretString: {
        secretStringTemplate: JSON.stringify({ username: ROLE }),
        generateStringKey: 'password',
        passwordLength: 32,
        excludePunctuation: true,
      },
      removalPolicy: RemovalPolicy.DESTROY,
    });
    acknowledge(
      login,
      'AwsSolutions-SMG4',
      'The role reads a public sample and owns its vectors, and lives as long as the example; invoking ' +
        'the sample function after a change of the secret takes the new password over.',
    );
    return login;
  }
}

/**
 * A small network for trying a pipeline, with two zones and one NAT gateway.
 * Aurora takes no fewer than two zones. By the NAT gateway the functions reach SQS, Lambda, Secrets
 * Manager and the provider; interface endpoints for the first three alone would cost more by the
 * hour. S3 has its free endpoint.
 */
class ExampleNetwork extends Construct {
  readonly vpc: Vpc;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.vpc = new Vpc(this, 'Vpc', {
      maxAzs: 2,
      natGateways: 1,
      // The default security group keeps its rules, because no resource is in the group.
      // The CDK's function that removes the rules would leave a log group behind.
      restrictDefaultSecurityGroup: false,
      subnetConfiguration: [
        { name: 'public', subnetType: SubnetType.PUBLIC, cidrMask: 26, mapPublicIpOnLaunch: false },
        { name: 'private', subnetType: SubnetType.PRIVATE_WITH_EGRESS, cidrMask: 24 },
        { name: 'database', subnetType: SubnetType.PRIVATE_ISOLATED, cidrMask: 26 },
      ],
      gatewayEndpoints: { S3: { service: GatewayVpcEndpointAwsService.S3 } },
    });
    const logs = new LogGroup(this, 'RejectedTraffic', {
      retention: RetentionDays.ONE_WEEK,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.vpc.addFlowLog('FlowLog', {
      destination: FlowLogDestination.toCloudWatchLogs(logs),
      trafficType: FlowLogTrafficType.REJECT,
    });
  }
}

interface ExampleSampleProps {
  readonly config: FreshetConfig;
  readonly stageName: string;
  readonly vpc: IVpc;
  readonly database: { readonly host: string; readonly port: number; readonly name: string };
  /** The security group of the database, which gets a rule that lets the function in. */
  readonly securityGroup: SecurityGroup;
  readonly ownerSecretArn: string;
  readonly pipelineSecretArn: string;
  readonly logRetention: RetentionDays;
  /** What must stand before the sample can be loaded. */
  readonly after: readonly Construct[];
  readonly assets?: FunctionAssets;
}

/**
 * The function that loads the sample during the deployment and makes the pipeline's role.
 * Later the function edits rows for `npm run smoke`.
 */
class ExampleSample extends Construct {
  readonly function: LambdaFunction;

  constructor(scope: Construct, id: string, props: ExampleSampleProps) {
    super(scope, id);
    const { vpc, database, ownerSecretArn, pipelineSecretArn } = props;
    const group = new SecurityGroup(this, 'SecurityGroup', {
      vpc,
      description: 'The function that loads the sample: to the database and to Secrets Manager',
      allowAllOutbound: false,
    });
    group.addEgressRule(props.securityGroup, Port.tcp(database.port), 'the database');
    group.addEgressRule(Peer.anyIpv4(), Port.tcp(HTTPS_PORT), 'Secrets Manager');
    props.securityGroup.addIngressRule(group, Port.tcp(database.port), 'the function that loads the sample');
    const { function: sample } = new HandlerFunction(this, 'Load', {
      name: 'sample',
      code: (props.assets ?? bundleFunctions(props.config)).codeOf('sample'),
      network: {
        vpc,
        vpcSubnets: { subnetType: SubnetType.PRIVATE_WITH_EGRESS },
        securityGroup: group,
        ipv6: false,
      },
      logRetention: props.logRetention,
      statements: secretStatements(this, [{ secretArn: ownerSecretArn }, { secretArn: pipelineSecretArn }]),
    });
    const settings: SampleSettings = {
      stage: props.stageName,
      region: Stack.of(this).region,
      ...database,
      ownerSecretArn,
      pipelineSecretArn,
    };
    sample.addEnvironment('FRESHET_SAMPLE', Stack.of(this).toJsonString(settings));
    new DeploymentTrigger(this, 'Now', {
      run: sample,
      timeoutSeconds: FUNCTION_SETTINGS.sample.timeoutSeconds,
      logRetention: props.logRetention,
      logKey: undefined,
      after: [...props.after, group, props.securityGroup],
      before: [],
    });
    this.function = sample;
  }
}
