import { ArnFormat, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import type { ISecurityGroup, IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import { Effect, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  ApplicationLogLevel,
  Architecture,
  type Code,
  type EventSourceMapping,
  Function as LambdaFunction,
  LoggingFormat,
  Runtime,
  SystemLogLevel,
  Tracing,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { IQueue, Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { ModelDefinition } from '../core/model.ts';
import { CLAIMS_PREFIX } from '../core/result-object.ts';
import { acknowledge } from './acknowledge.ts';
import {
  FUNCTION_NAMES,
  FUNCTION_SETTINGS,
  type FunctionAssets,
  type FunctionName,
  type HandlerName,
} from './function-settings.ts';
import { databaseStatements, type PipelineDatabase, secretStatements } from './network.ts';
import { consumeStatement, type PipelineQueues, redriveStatement, sendStatement } from './queues.ts';

export interface FunctionNetwork {
  readonly vpc: IVpc;
  readonly vpcSubnets: SubnetSelection;
  readonly securityGroup: ISecurityGroup;
  readonly ipv6: boolean;
}

export interface PipelineFunctionProps {
  readonly name: HandlerName;
  readonly code: Code;
  readonly network: FunctionNetwork;
  readonly logRetention: RetentionDays;
  /** What this function may do beyond logs, traces and its network interface. */
  readonly statements: readonly PolicyStatement[];
  /**
   * Where an asynchronous invocation that failed goes.
   * The input of such an invocation holds no text of a row.
   */
  readonly deadLetterQueue?: IQueue;
}

/**
 * Makes stack traces name our files and lines.
 * Node takes few of V8's own flags here; functions that need one set the flag themselves.
 */
const NODE_OPTIONS = '--enable-source-maps';

const NETWORK_ACTIONS = [
  'ec2:CreateNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:DeleteNetworkInterface',
  'ec2:AssignPrivateIpAddresses',
  'ec2:UnassignPrivateIpAddresses',
];

/** A function with a role and a log group of its own, and nothing that it does not need. */
export class PipelineFunction extends Construct {
  readonly function: LambdaFunction;
  readonly role: Role;
  readonly logGroup: LogGroup;

  constructor(scope: Construct, id: string, props: PipelineFunctionProps) {
    super(scope, id);
    const settings = FUNCTION_SETTINGS[props.name];
    this.logGroup = new LogGroup(this, 'Logs', {
      retention: props.logRetention,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.role = this.#createRole(props.statements);
    const { vpc, vpcSubnets, securityGroup, ipv6 } = props.network;
    this.function = new LambdaFunction(this, 'Function', {
      description: `Freshet ${props.name}: ${settings.description}`,
      code: props.code,
      handler: 'index.handler',
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: settings.memoryMb,
      timeout: Duration.seconds(settings.timeoutSeconds),
      role: this.role,
      vpc,
      vpcSubnets,
      securityGroups: [securityGroup],
      ...(ipv6 && { ipv6AllowedForDualStack: true }),
      tracing: Tracing.ACTIVE,
      logGroup: this.logGroup,
      loggingFormat: LoggingFormat.JSON,
      applicationLogLevelV2: ApplicationLogLevel.INFO,
      systemLogLevelV2: SystemLogLevel.INFO,
      environment: { NODE_OPTIONS },
      ...(props.deadLetterQueue && {
        deadLetterQueue: props.deadLetterQueue,
        retryAttempts: 0,
        maxEventAge: Duration.minutes(5),
      }),
    });
  }

  #createRole(statements: readonly PolicyStatement[]): Role {
    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    role.addToPolicy(
      new PolicyStatement({
        actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
        resources: [this.logGroup.logGroupArn],
      }),
    );
    role.addToPolicy(new PolicyStatement({ actions: NETWORK_ACTIONS, resources: ['*'] }));
    role.addToPolicy(
      new PolicyStatement({
        effect: Effect.DENY,
        actions: NETWORK_ACTIONS,
        resources: ['*'],
        conditions: { ArnLike: { 'lambda:SourceFunctionArn': this.#anyFunctionArn() } },
      }),
    );
    for (const statement of statements) role.addToPolicy(statement);
    acknowledge(
      role,
      'AwsSolutions-IAM5[Resource::*]',
      'Network interfaces of a function in a VPC and X-Ray segments have no resource to name; the code itself is denied the former.',
    );
    return role;
  }

  /**
   * An ARN pattern that stands for this function.
   * The role has no other principal, so that whatever function calls with the role is this one. The
   * function's own ARN would depend on the role.
   */
  #anyFunctionArn(): string {
    return Stack.of(this).formatArn({
      service: 'lambda',
      resource: 'function',
      resourceName: '*',
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
  }
}

export interface PipelineFunctionsProps {
  readonly assets: FunctionAssets;
  readonly network: FunctionNetwork;
  readonly database: PipelineDatabase;
  readonly models: readonly ModelDefinition[];
  /** Model alias → ARN of the secret of its key. */
  readonly keySecrets: Readonly<Record<string, string>>;
  readonly queues: PipelineQueues;
  readonly claims: Bucket;
  readonly scheduleDeadLetters: Queue;
  readonly logRetention: RetentionDays;
}

/**
 * The functions, each with exactly the rights that its work takes.
 * docs/deployment.md has the table of rights.
 */
export class PipelineFunctions extends Construct {
  readonly functions: Readonly<Record<FunctionName, LambdaFunction>>;
  readonly logGroups: Readonly<Record<FunctionName, LogGroup>>;
  readonly #parts: Readonly<Record<FunctionName, PipelineFunction>>;

  constructor(scope: Construct, id: string, props: PipelineFunctionsProps) {
    super(scope, id);
    const statements = this.#statementsOf(props);
    const create = (name: FunctionName): PipelineFunction =>
      new PipelineFunction(this, name, {
        name,
        code: props.assets.codeOf(name),
        network: props.network,
        logRetention: props.logRetention,
        statements: statements[name],
        ...((name === 'detect' || name === 'guard') && { deadLetterQueue: props.scheduleDeadLetters }),
      });
    this.#parts = eachFunction(create);
    this.functions = eachFunction(name => this.#parts[name].function);
    this.logGroups = eachFunction(name => this.#parts[name].logGroup);
    for (const name of ['embed', 'write'] as const)
      acknowledge(
        this.#parts[name].role,
        `AwsSolutions-IAM5[Resource::<${logicalIdOf(props.claims)}.Arn>/${CLAIMS_PREFIX}*]`,
        'Result objects have names of their own each time; the bucket holds nothing else.',
      );
  }

  /**
   * Lets `guard` open and close exactly these mappings, and keep on their tags why.
   * Call this method once the mappings exist.
   */
  letGuardSwitch(mappings: readonly EventSourceMapping[]): void {
    this.#parts.guard.role.addToPolicy(
      new PolicyStatement({
        actions: [
          'lambda:GetEventSourceMapping',
          'lambda:UpdateEventSourceMapping',
          'lambda:ListTags',
          'lambda:TagResource',
          'lambda:UntagResource',
        ],
        resources: mappings.map(mapping => mapping.eventSourceMappingArn),
      }),
    );
  }

  #statementsOf(props: PipelineFunctionsProps): Record<FunctionName, PolicyStatement[]> {
    const { database, queues, claims } = props;
    const login = databaseStatements(this, database);
    const embedQueues = queues.lanes.map(({ queue }) => queue);
    const aliases = new Set(props.models.map(model => model.alias));
    const keyArns = Object.entries(props.keySecrets).flatMap(([alias, arn]) =>
      aliases.has(alias) ? [arn] : [],
    );
    const providers = [
      ...secretStatements(this, keyArns, database.secretKeyArn),
      ...this.#endpointStatements(props.models),
    ];
    const object = claims.arnForObjects(`${CLAIMS_PREFIX}*`);
    return {
      detect: [...login, sendStatement(embedQueues)],
      embed: [
        ...login,
        ...providers,
        consumeStatement(embedQueues),
        sendStatement([queues.results.queue]),
        new PolicyStatement({ actions: ['s3:PutObject'], resources: [object] }),
      ],
      write: [
        ...login,
        consumeStatement([queues.results.queue]),
        new PolicyStatement({ actions: ['s3:GetObject'], resources: [object] }),
        // Without this right S3 answers 403 for an object that is gone.
        // Nobody could tell that answer from a missing right.
        new PolicyStatement({ actions: ['s3:ListBucket'], resources: [claims.bucketArn] }),
      ],
      guard: [...login, ...providers],
      migrate: [...login, ...providers],
      operate: [
        ...login,
        sendStatement([...embedQueues, queues.results.queue]),
        redriveStatement([
          ...queues.lanes.map(({ deadLetterQueue }) => deadLetterQueue),
          queues.results.deadLetterQueue,
        ]),
      ],
    };
  }

  #endpointStatements(models: readonly ModelDefinition[]): PolicyStatement[] {
    const arnOf = (resource: string, resourceName: string) =>
      Stack.of(this).formatArn({
        service: 'sagemaker',
        resource,
        resourceName: resourceName.toLowerCase(),
        arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
      });
    const resources = models.flatMap(({ endpointName, inferenceComponentName }) => [
      ...(endpointName === undefined ? [] : [arnOf('endpoint', endpointName)]),
      ...(inferenceComponentName === undefined ? [] : [arnOf('inference-component', inferenceComponentName)]),
    ]);
    if (resources.length === 0) return [];
    return [new PolicyStatement({ actions: ['sagemaker:InvokeEndpoint'], resources })];
  }
}

function eachFunction<Value>(create: (name: FunctionName) => Value): Record<FunctionName, Value> {
  return Object.fromEntries(FUNCTION_NAMES.map(name => [name, create(name)])) as Record<FunctionName, Value>;
}

function logicalIdOf(bucket: Bucket): string {
  return Stack.of(bucket).getLogicalId(bucket.node.defaultChild as never);
}
