import { ArnFormat, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import type { ISecurityGroup, IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import { Effect, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  ApplicationLogLevel,
  Architecture,
  type Code,
  Function as LambdaFunction,
  LoggingFormat,
  Runtime,
  SystemLogLevel,
  Tracing,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { acknowledge } from './acknowledge.ts';
import { type EncryptionKeys, environmentKeyStatements } from './encryption-keys.ts';
import { FUNCTION_SETTINGS, type HandlerName } from './function-settings.ts';

export interface FunctionNetwork {
  readonly vpc: IVpc;
  readonly vpcSubnets: SubnetSelection;
  readonly securityGroup: ISecurityGroup;
  readonly ipv6: boolean;
}

interface HandlerFunctionProps {
  readonly name: HandlerName;
  readonly code: Code;
  /** Undefined: the function runs outside every VPC, and its calls are not traced. */
  readonly network?: FunctionNetwork;
  readonly logRetention: RetentionDays;
  /**
   * Keys of one's own, for logs and environment.
   * @default the keys of CloudWatch Logs and Lambda
   */
  readonly encryptionKeys?: EncryptionKeys | undefined;
  /** What this function may do beyond logs, traces and its network interface. */
  readonly statements: readonly PolicyStatement[];
  /** Variables of the function's environment. */
  readonly environment?: Readonly<Record<string, string>>;
  /**
   * Environments that the function may have at once, taken from those of the account.
   * @default as many as its events ask for
   */
  readonly reservedEnvironments?: number;
  /**
   * What becomes of an asynchronous invocation that failed.
   * The input of an invocation that goes to a dead-letter queue holds no text of a row.
   * @default two retries, as Lambda does by itself
   */
  readonly onFailure?: {
    readonly deadLetterQueue?: IQueue;
    readonly retryAttempts?: number;
  };
}

const NETWORK_ACTIONS = [
  'ec2:CreateNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:DeleteNetworkInterface',
  'ec2:AssignPrivateIpAddresses',
  'ec2:UnassignPrivateIpAddresses',
];

/** A function with a role and a log group of its own, and nothing that it does not need. */
export class HandlerFunction extends Construct {
  readonly function: LambdaFunction;
  readonly role: Role;
  readonly logGroup: LogGroup;

  constructor(scope: Construct, id: string, props: HandlerFunctionProps) {
    super(scope, id);
    const settings = FUNCTION_SETTINGS[props.name];
    const { logs, environment } = props.encryptionKeys ?? {};
    this.logGroup = new LogGroup(this, 'Logs', {
      retention: props.logRetention,
      removalPolicy: RemovalPolicy.DESTROY,
      ...(logs !== undefined && { encryptionKey: logs }),
    });
    const statements = [...props.statements, ...environmentKeyStatements(environment)];
    this.role = this.#createRole(statements, props.network !== undefined);
    this.function = new LambdaFunction(this, 'Function', {
      description: `Freshet ${props.name}: ${settings.description}`,
      code: props.code,
      handler: 'index.handler',
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: settings.memoryMb,
      timeout: Duration.seconds(settings.timeoutSeconds),
      role: this.role,
      ...(props.network && { ...describeNetwork(props.network), tracing: Tracing.ACTIVE }),
      logGroup: this.logGroup,
      loggingFormat: LoggingFormat.JSON,
      applicationLogLevelV2: ApplicationLogLevel.INFO,
      systemLogLevelV2: SystemLogLevel.INFO,
      ...(props.environment && { environment: { ...props.environment } }),
      ...(environment !== undefined && { environmentEncryption: environment }),
      ...(props.reservedEnvironments !== undefined && {
        reservedConcurrentExecutions: props.reservedEnvironments,
      }),
      ...props.onFailure,
    });
  }

  #createRole(statements: readonly PolicyStatement[], inNetwork: boolean): Role {
    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    role.addToPolicy(
      new PolicyStatement({
        actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
        resources: [this.logGroup.logGroupArn],
      }),
    );
    if (inNetwork) this.#allowNetworkInterface(role);
    for (const statement of statements) role.addToPolicy(statement);
    return role;
  }

  /** Allows Lambda, and not the function's own code, to give the function a network interface. */
  #allowNetworkInterface(role: Role): void {
    role.addToPolicy(new PolicyStatement({ actions: NETWORK_ACTIONS, resources: ['*'] }));
    role.addToPolicy(
      new PolicyStatement({
        effect: Effect.DENY,
        actions: NETWORK_ACTIONS,
        resources: ['*'],
        conditions: { ArnLike: { 'lambda:SourceFunctionArn': this.#anyFunctionArn() } },
      }),
    );
    acknowledge(
      role,
      'AwsSolutions-IAM5[Resource::*]',
      'Network interfaces of a function in a VPC and X-Ray segments have no resource to name; the code ' +
        'itself is denied the former.',
    );
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

function describeNetwork({ vpc, vpcSubnets, securityGroup, ipv6 }: FunctionNetwork) {
  return {
    vpc,
    vpcSubnets,
    securityGroups: [securityGroup],
    ...(ipv6 && { ipv6AllowedForDualStack: true }),
  };
}
