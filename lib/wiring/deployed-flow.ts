import { callAwsForPerson } from '../adapters/aws/call-aws.ts';
import { readSchedule, switchSchedule } from '../adapters/aws/console.ts';
import { createLambdaEventSources } from '../adapters/aws/event-sources.ts';
import {
  cancelMove,
  findDeadLetterQueue,
  findMove,
  type MoveTask,
  startMove,
} from '../adapters/sqs/dead-letters.ts';
import { createSqsQueue } from '../adapters/sqs/sqs-queue.ts';
import { modelScope, PIPELINE_SCOPE } from '../core/control.ts';
import { UsageError } from '../core/errors.ts';
import { LANES } from '../core/model.ts';
import type { DeadLetterSource } from '../ports/operator.ts';
import type { EventSource } from '../ports/queues.ts';
import { type DeployedStage, startDetect, unknownName } from './deployment.ts';

/**
 * A queue of the deployment under the name that people use.
 * The name is `results`, or `<model>/<lane>`.
 */
export interface DeployedQueue {
  readonly name: string;
  readonly source: DeadLetterSource;
  readonly url: string;
}

interface QueueDepth {
  readonly queue: string;
  readonly visible: number;
  readonly inFlight: number;
  readonly deadLetters: number;
}

export function listQueues({ settings }: DeployedStage): DeployedQueue[] {
  const dispatch = Object.entries(settings.queues).flatMap(([model, urls]) =>
    LANES.map(lane => ({
      name: `${model}/${lane}`,
      source: { model, lane },
      url: urls[lane],
    })),
  );
  return [...dispatch, { name: 'results', source: 'results', url: settings.resultsQueueUrl }];
}

/**
 * The queue with this name; without a name all queues.
 * @throws UsageError for a name that no queue has.
 */
export function chooseQueues(deployment: DeployedStage, name: string | undefined): DeployedQueue[] {
  const queues = listQueues(deployment);
  const chosen = queues.filter(queue => name === undefined || queue.name === name);
  if (chosen.length > 0) return chosen;
  throw unknownName(
    'queue',
    name,
    queues.map(queue => queue.name),
  );
}

export async function readDepth({ clients }: DeployedStage, queue: DeployedQueue): Promise<QueueDepth> {
  const depthOf = (queueUrl: string) =>
    callAwsForPerson('sqs:GetQueueAttributes', () =>
      createSqsQueue({ client: clients.sqs, queueUrl }).depth(),
    );
  const { visible, inFlight } = await depthOf(queue.url);
  const letters = await depthOf((await findDeadLetterQueue(clients.sqs, queue.url)).url);
  return { queue: queue.name, visible, inFlight, deadLetters: letters.visible + letters.inFlight };
}

const LOOK_EVERY_MS = 2000;

export type { MoveTask };

/**
 * Lets SQS move every dead letter of the queue back, and tells the progress until the end.
 * `perSecond` is the most messages a second; undefined: SQS decides. An abort leaves the task
 * running. Resolves with the task as it was seen last.
 * @throws UsageError while another task of the queue runs.
 */
export async function moveQueue(
  { clients, clock, lineOf }: DeployedStage,
  queue: DeployedQueue,
  options: {
    readonly perSecond: number | undefined;
    readonly signal: AbortSignal;
    readonly onProgress: (task: MoveTask) => void;
  },
): Promise<MoveTask | undefined> {
  const { arn } = await findDeadLetterQueue(clients.sqs, queue.url);
  const running = await findMove(clients.sqs, arn);
  if (isRunning(running))
    throw new UsageError(
      `Dead letters of ${queue.name} are being moved already; SQS has one task per queue.`,
      `${lineOf(`redrive --queue ${queue.name} --cancel --apply`)} ends it.`,
    );
  await startMove(clients.sqs, arn, options.perSecond);
  let task = await findMove(clients.sqs, arn);
  while (isRunning(task) && !options.signal.aborted) {
    options.onProgress(task);
    await clock.sleep(LOOK_EVERY_MS, options.signal);
    task = await findMove(clients.sqs, arn);
  }
  return task;
}

/**
 * Cancels the move of a queue. Resolves with the task that was cancelled.
 * Undefined: no task runs.
 */
export async function cancelQueueMove(
  { clients }: DeployedStage,
  queue: DeployedQueue,
): Promise<MoveTask | undefined> {
  const { arn } = await findDeadLetterQueue(clients.sqs, queue.url);
  const task = await findMove(clients.sqs, arn);
  if (task?.handle === undefined || task.status !== 'RUNNING') return undefined;
  await cancelMove(clients.sqs, task.handle);
  return task;
}

function isRunning(task: MoveTask | undefined): task is MoveTask {
  return task?.status === 'RUNNING' || task?.status === 'CANCELLING';
}

interface Flow {
  readonly eventSources: readonly {
    readonly feeds: string;
    readonly mappingId: string;
    readonly state: EventSource['state'];
  }[];
  readonly schedules: readonly { readonly name: string; readonly state: 'enabled' | 'disabled' }[];
}

/**
 * Reads the state of what lets work in.
 * Work comes in by the mappings between queues and functions, and by the schedules of `detect`.
 */
export async function readFlow({ settings, clients }: DeployedStage): Promise<Flow> {
  const sources = createLambdaEventSources(clients.lambda);
  const { embed = {}, write = [] } = settings.eventSources ?? {};
  const mappings = [
    ...Object.entries(embed).flatMap(([alias, ids]) => ids.map(id => ({ feeds: `embed ${alias}`, id }))),
    ...write.map(id => ({ feeds: 'write', id })),
  ];
  const eventSources: Flow['eventSources'][number][] = [];
  for (const { feeds, id } of mappings) {
    const { state } = await callAwsForPerson('lambda:GetEventSourceMapping', () => sources.read(id));
    eventSources.push({ feeds, mappingId: id, state });
  }
  return { eventSources, schedules: await readSchedules({ settings, clients }) };
}

async function readSchedules({
  settings,
  clients,
}: Pick<DeployedStage, 'settings' | 'clients'>): Promise<Flow['schedules']> {
  const schedules: Flow['schedules'][number][] = [];
  for (const name of settings.scheduleNames ?? [])
    schedules.push({ name, state: await readSchedule(clients.scheduler, name) });
  return schedules;
}

/**
 * Starts a look for edited rows beside those of the schedules.
 * Resolves with false where somebody has switched every schedule off: nothing is started then.
 */
export async function nudgeStage(deployment: DeployedStage): Promise<boolean> {
  const schedules = await readSchedules(deployment);
  if (schedules.length > 0 && schedules.every(({ state }) => state === 'disabled')) return false;
  await startDetect(deployment, { pass: 'incremental', nudged: true });
  return true;
}

/**
 * Opens or closes what lets work in, and resolves with what changed, in words.
 * What feeds `embed` closes at once instead of at the guard's next look. The mappings are marked as
 * the guard's own, so that the guard opens them again when no reason is left. The mapping of
 * `write` stays open: what was bought is still written. A pause of everything also switches the
 * schedules off, and opening switches them on.
 */
export async function switchFlow(
  { settings, clients }: DeployedStage,
  scope: string,
  to: 'open' | 'closed',
): Promise<string[]> {
  const sources = createLambdaEventSources(clients.lambda);
  const changed: string[] = [];
  for (const [alias, ids] of Object.entries(settings.eventSources?.embed ?? {})) {
    if (scope !== PIPELINE_SCOPE && scope !== modelScope(alias)) continue;
    for (const id of ids) {
      const source = await callAwsForPerson('lambda:GetEventSourceMapping', () => sources.read(id));
      const isDue =
        to === 'closed' ? source.state === 'open' : source.state === 'closed' && source.closedByUs;
      if (!isDue) continue;
      const switching = () => (to === 'closed' ? sources.close(source) : sources.open(source));
      await callAwsForPerson('lambda:UpdateEventSourceMapping', switching);
      changed.push(`event source ${id} (embed ${alias})`);
    }
  }
  if (scope !== PIPELINE_SCOPE) return changed;
  for (const name of settings.scheduleNames ?? [])
    if (await switchSchedule(clients.scheduler, name, to === 'open' ? 'enabled' : 'disabled'))
      changed.push(`schedule ${name}`);
  return changed;
}
