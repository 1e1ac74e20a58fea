import { type CfnResource, Duration, RemovalPolicy, Stack, TimeZone } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { EventSourceMapping, type IFunction, type Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Schedule, ScheduleExpression, ScheduleTargetInput } from 'aws-cdk-lib/aws-scheduler';
import { LambdaInvoke } from 'aws-cdk-lib/aws-scheduler-targets';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Trigger } from 'aws-cdk-lib/triggers';
import { Construct, type IConstruct } from 'constructs';
import type { StageSettings } from '../core/config/aws-schema.ts';
import type { Lane } from '../core/model.ts';
import { keyStatements } from './encryption-keys.ts';
import { CONSUMERS, LANES } from './function-settings.ts';
import type { PipelineQueues } from './queues.ts';

export type ScheduleName = 'incremental' | 'full' | 'continue' | 'guard';

interface PipelineSchedulesProps {
  readonly detect: IFunction;
  readonly guard: IFunction;
  readonly deadLetterQueue: IQueue;
  /** The key of `deadLetterQueue`, where it is one of one's own. */
  readonly deadLetterKey: IKey | undefined;
  readonly incremental: string;
  readonly full: string;
  readonly timeZone: string;
  /** Sources with a schedule of their own for edits: name → expression. */
  readonly sources: Readonly<Record<string, string>>;
  /** Modes that ticks take: of `incremental`, of walks, and of single sources. */
  readonly modes: StageSettings['schedules']['modes'];
  /** Names of all sources. */
  readonly sourceNames: readonly string[];
  readonly enabled: boolean;
}

/** When `continue` starts `detect`. */
const CONTINUE = 'rate(5 minutes)';

/** When `detect` is started: by `incremental`, by `full`, by `continue`, and for single sources. */
export function detectExpressions(
  props: Pick<PipelineSchedulesProps, 'incremental' | 'full' | 'sources'>,
): string[] {
  return [props.incremental, props.full, CONTINUE, ...Object.values(props.sources)];
}

/**
 * The schedules that start `detect` and `guard`.
 * `full` begins a walk over all keys; one tick goes as far as its time reaches. `continue` takes a
 * walk further that has begun, and begins the first walk of a new space. With nothing to continue,
 * a tick of `continue` costs one statement per space.
 */
export class PipelineSchedules extends Construct {
  readonly schedules: Readonly<Record<ScheduleName, Schedule>>;
  /** Name of a source → its own schedule for edits. */
  readonly sourceSchedules: Readonly<Record<string, Schedule>>;

  constructor(scope: Construct, id: string, props: PipelineSchedulesProps) {
    super(scope, id);
    const { detect, guard, deadLetterQueue, deadLetterKey, timeZone, enabled, sources, modes } = props;
    const by = (mode: string | undefined) => mode !== undefined && { mode };
    const others = props.sourceNames.filter(name => !Object.hasOwn(sources, name));
    const create = (
      name: string,
      target: IFunction,
      expression: string,
      input: Record<string, unknown>,
      description: string,
    ) =>
      new FunctionSchedule(this, name, {
        target,
        expression,
        input,
        description,
        timeZone,
        deadLetterQueue,
        deadLetterKey,
        enabled,
      }).schedule;
    this.schedules = {
      incremental: create(
        'incremental',
        detect,
        props.incremental,
        {
          pass: 'incremental',
          ...(others.length < props.sourceNames.length && { sources: others }),
          ...by(modes.incremental),
        },
        'edits, by time',
      ),
      full: create('full', detect, props.full, { pass: 'reconcile', ...by(modes.full) }, 'all rows: begins'),
      continue: create(
        'continue',
        detect,
        CONTINUE,
        { pass: 'reconcile', resume: true, ...by(modes.full) },
        'all rows: goes on',
      ),
      guard: create('guard', guard, 'rate(1 minute)', { action: 'check' }, 'pauses, resumes, probes'),
    };
    this.sourceSchedules = Object.fromEntries(
      Object.entries(sources).map(([source, expression]) => {
        const event = { pass: 'incremental', sources: [source], ...by(modes.sources[source]) };
        return [source, create(`source-${source}`, detect, expression, event, `edits of ${source}`)];
      }),
    );
  }
}

interface FunctionScheduleProps {
  readonly target: IFunction;
  readonly description: string;
  /** `rate(…)` or `cron(…)`. */
  readonly expression: string;
  /** IANA time zone of a `cron(…)`. */
  readonly timeZone: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly deadLetterQueue: IQueue;
  readonly deadLetterKey: IKey | undefined;
  readonly enabled: boolean;
}

/**
 * Starts a function by a schedule.
 * A tick that is lost or late is not repeated: the next tick does its work.
 */
class FunctionSchedule extends Construct {
  readonly schedule: Schedule;

  constructor(scope: Construct, id: string, props: FunctionScheduleProps) {
    super(scope, id);
    const group = { service: 'scheduler', resource: 'schedule-group', resourceName: 'default' };
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
        conditions: {
          StringEquals: {
            'aws:SourceAccount': Stack.of(this).account,
            'aws:SourceArn': Stack.of(this).formatArn(group),
          },
        },
      }),
    });
    role.addToPolicy(
      new PolicyStatement({
        actions: ['lambda:InvokeFunction'],
        resources: [props.target.functionArn],
      }),
    );
    role.addToPolicy(
      new PolicyStatement({ actions: ['sqs:SendMessage'], resources: [props.deadLetterQueue.queueArn] }),
    );
    for (const statement of keyStatements(this, props.deadLetterKey, 'sqs', 'write'))
      role.addToPolicy(statement);
    this.schedule = new Schedule(this, 'Schedule', {
      description: props.description,
      schedule: ScheduleExpression.expression(props.expression, TimeZone.of(props.timeZone)),
      enabled: props.enabled,
      target: new LambdaInvoke(props.target, {
        // Left to itself, the target would add the right to invoke every version and alias.
        role: role.withoutPolicyUpdates(),
        input: ScheduleTargetInput.fromObject(props.input),
        deadLetterQueue: props.deadLetterQueue,
        retryAttempts: 0,
        maxEventAge: Duration.minutes(5),
      }),
    });
    this.schedule.node.addDependency(role);
  }
}

/** The event source mappings by which Lambda polls the queues. */
export interface ConsumerMappings {
  /** Model alias → the mappings of its queues, in the order of `LANES`. */
  readonly embed: ReadonlyMap<string, readonly EventSourceMapping[]>;
  readonly write: readonly EventSourceMapping[];
}

interface PipelineConsumersProps {
  readonly embed: IFunction;
  readonly write: IFunction;
  readonly queues: PipelineQueues;
  /** Environments at once: of each alias's two queues, and of `write`. */
  readonly maxConcurrency: Readonly<Record<Lane | 'write', number>>;
  readonly enabled: boolean;
}

/**
 * Feeds the queues into `embed` and `write`.
 * Concurrency is bounded here and not by reserving it, because a batch that Lambda throttles would
 * count as received.
 */
export class PipelineConsumers extends Construct {
  readonly mappings: ConsumerMappings;

  constructor(scope: Construct, id: string, props: PipelineConsumersProps) {
    super(scope, id);
    const { embed, write, queues, maxConcurrency, enabled } = props;
    const consume = (
      name: string,
      consumer: 'embed' | 'write',
      target: IFunction,
      queue: IQueue,
      environments: number,
    ) =>
      new EventSourceMapping(new Construct(this, name), 'Mapping', {
        target,
        eventSourceArn: queue.queueArn,
        batchSize: CONSUMERS[consumer].batchSize,
        maxBatchingWindow: Duration.seconds(CONSUMERS[consumer].windowSeconds),
        maxConcurrency: environments,
        reportBatchItemFailures: true,
        enabled,
      });
    this.mappings = {
      embed: new Map(
        [...queues.embed].map(([alias, pairs]) => [
          alias,
          LANES.map(lane =>
            consume(`${alias}-${lane}`, 'embed', embed, pairs[lane].queue, maxConcurrency[lane]),
          ),
        ]),
      ),
      write: [consume('Results', 'write', write, queues.results.queue, maxConcurrency.write)],
    };
  }
}

interface DeploymentTriggerProps {
  readonly run: LambdaFunction;
  /** Timeout of the function, in seconds. */
  readonly timeoutSeconds: number;
  readonly logRetention: RetentionDays;
  readonly logKey: IKey | undefined;
  /** What the function needs to reach the database. */
  readonly after: readonly Construct[];
  /** What must not begin before the function has ended. */
  readonly before: readonly Construct[];
}

/** The id under which the CDK keeps, once per stack, the function that starts triggers. */
const TRIGGER_PROVIDER = 'AWSCDK.TriggerCustomResourceProviderCustomResourceProvider';

/**
 * Runs a function during the deployment. What the function refuses fails the deployment.
 * The function runs whenever its code, the configuration or its settings changed.
 */
export class DeploymentTrigger extends Construct {
  constructor(scope: Construct, id: string, props: DeploymentTriggerProps) {
    super(scope, id);
    const trigger = new Trigger(this, 'Trigger', {
      handler: props.run,
      timeout: Duration.seconds(props.timeoutSeconds + 10),
      executeAfter: [...props.after],
      executeBefore: [...props.before],
    });
    const provider = Stack.of(this).node.findChild(TRIGGER_PROVIDER);
    trigger.executeAfter(logGroupOfTriggers(provider, props));
  }
}

/** Gives the provider's logs a retention. Without it the logs would stay for ever. */
function logGroupOfTriggers(
  provider: IConstruct,
  { logRetention, logKey }: Pick<DeploymentTriggerProps, 'logRetention' | 'logKey'>,
): LogGroup {
  const existing = provider.node.tryFindChild('Logs') as LogGroup | undefined;
  if (existing !== undefined) return existing;
  const handler = provider.node.findChild('Handler') as CfnResource;
  return new LogGroup(provider as Construct, 'Logs', {
    logGroupName: `/aws/lambda/${handler.ref}`,
    retention: logRetention,
    removalPolicy: RemovalPolicy.DESTROY,
    ...(logKey !== undefined && { encryptionKey: logKey }),
  });
}
