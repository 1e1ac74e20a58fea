import { ArnFormat, Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { EventSourceMapping, Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { ModelDefinition } from '../core/model/space.ts';
import { acknowledge } from './acknowledge.ts';
import { databaseStatements, type PipelineDatabase, secretStatements } from './database-access.ts';
import type { FunctionAssets } from './function-assets.ts';
import { FUNCTION_NAMES, type FunctionName } from './function-settings.ts';
import { type FunctionNetwork, PipelineFunction } from './pipeline-function.ts';
import type { PipelineQueues } from './pipeline-queues.ts';
import { consumeStatement, redriveStatement, sendStatement } from './queue-consumer.ts';

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

/** The prefix under which `embed` puts result objects. */
const CLAIMS_PREFIX = 'claims/';

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
