import { Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { EventSourceMapping, Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { ModelDefinition } from '../core/model.ts';
import { CLAIMS_PREFIX } from '../core/result-object.ts';
import { acknowledge } from './acknowledge.ts';
import { type EncryptionKeys, keyStatements } from './encryption-keys.ts';
import { FUNCTION_NAMES, type FunctionAssets, type FunctionName } from './function-settings.ts';
import { type FunctionNetwork, HandlerFunction } from './handler-function.ts';
import type { PipelineDatabase } from './network.ts';
import {
  consumeStatement,
  databaseStatements,
  endpointStatements,
  redriveStatements,
  sendStatement,
} from './policy-statements.ts';
import type { PipelineQueues } from './queues.ts';
import { type ReadSecret, secretStatements } from './secrets.ts';

interface PipelineFunctionsProps {
  readonly assets: FunctionAssets;
  readonly network: FunctionNetwork;
  readonly database: PipelineDatabase;
  readonly models: readonly ModelDefinition[];
  /** Model alias → the secret of its key. */
  readonly keySecrets: Readonly<Record<string, ReadSecret>>;
  readonly queues: PipelineQueues;
  readonly claims: Bucket;
  readonly scheduleDeadLetters: Queue;
  readonly logRetention: RetentionDays;
  readonly encryptionKeys: EncryptionKeys;
}

/**
 * The functions of the pipeline, each with exactly the rights that its work takes.
 * docs/deployment.md has the table of rights.
 */
export class PipelineFunctions extends Construct {
  readonly functions: Readonly<Record<FunctionName, LambdaFunction>>;
  readonly logGroups: Readonly<Record<FunctionName, LogGroup>>;
  /** The rights of a function that embeds and searches for clients: no queue, no bucket. */
  readonly serviceStatements: readonly PolicyStatement[];
  readonly #handlers: Readonly<Record<FunctionName, HandlerFunction>>;

  constructor(scope: Construct, id: string, props: PipelineFunctionsProps) {
    super(scope, id);
    const statements = this.#statementsOf(props);
    this.serviceStatements = statements.migrate.map(statement => statement.copy());
    const create = (name: FunctionName): HandlerFunction =>
      new HandlerFunction(this, name, {
        name,
        code: props.assets.codeOf(name),
        network: props.network,
        logRetention: props.logRetention,
        encryptionKeys: props.encryptionKeys,
        statements: statements[name],
        ...((name === 'detect' || name === 'guard') && {
          onFailure: { deadLetterQueue: props.scheduleDeadLetters },
        }),
      });
    this.#handlers = eachFunction(create);
    this.functions = eachFunction(name => this.#handlers[name].function);
    this.logGroups = eachFunction(name => this.#handlers[name].logGroup);
    for (const name of ['embed', 'write'] as const)
      acknowledge(
        this.#handlers[name].role,
        `AwsSolutions-IAM5[Resource::<${logicalIdOf(props.claims)}.Arn>/${CLAIMS_PREFIX}*]`,
        'Result objects have names of their own each time; the bucket holds nothing else.',
      );
  }

  /**
   * Grants `guard` to open and close exactly these mappings, and to keep on their tags why.
   * Call this method once the mappings exist.
   */
  grantSwitching(mappings: readonly EventSourceMapping[]): void {
    this.#handlers.guard.role.addToPolicy(
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
    const keySecrets = Object.entries(props.keySecrets).flatMap(([alias, secret]) =>
      aliases.has(alias) ? [secret] : [],
    );
    const providers = [...secretStatements(this, keySecrets), ...endpointStatements(this, props.models)];
    const keys = props.encryptionKeys;
    const sends = keyStatements(this, keys.queues, 'sqs', 'write');
    const receives = keyStatements(this, keys.queues, 'sqs', 'read');
    const object = claims.arnForObjects(`${CLAIMS_PREFIX}*`);
    return {
      detect: [...login, sendStatement(embedQueues), ...sends],
      embed: [
        ...login,
        ...providers,
        consumeStatement(embedQueues),
        sendStatement([queues.results.queue]),
        new PolicyStatement({ actions: ['s3:PutObject'], resources: [object] }),
        ...sends,
        ...keyStatements(this, keys.claims, 's3', 'write'),
      ],
      write: [
        ...login,
        consumeStatement([queues.results.queue]),
        new PolicyStatement({ actions: ['s3:GetObject', 's3:DeleteObject'], resources: [object] }),
        // Without this right S3 answers 403 for an object that is gone.
        // Nobody could tell that answer from a missing right.
        new PolicyStatement({ actions: ['s3:ListBucket'], resources: [claims.bucketArn] }),
        ...receives,
        ...keyStatements(this, keys.claims, 's3', 'read'),
      ],
      // What failed goes to a queue of dead letters in the function's name.
      guard: [...login, ...providers, ...sends],
      migrate: [...login, ...providers],
      operate: [...login, ...redriveStatements([...queues.lanes, queues.results]), ...sends],
    };
  }
}

function eachFunction<Value>(create: (name: FunctionName) => Value): Record<FunctionName, Value> {
  return Object.fromEntries(FUNCTION_NAMES.map(name => [name, create(name)])) as Record<FunctionName, Value>;
}

function logicalIdOf(bucket: Bucket): string {
  return Stack.of(bucket).getLogicalId(bucket.node.defaultChild as never);
}
