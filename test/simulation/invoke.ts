import { FreshetError } from '../../lib/core/errors.ts';
import { detectStaleRows } from '../../lib/pipeline/detect/detect.ts';
import type { DetectRequest } from '../../lib/pipeline/detect/detect-ports.ts';
import { embedRecord } from '../../lib/pipeline/embed/embed-record.ts';
import { guardPipeline } from '../../lib/pipeline/guard/guard.ts';
import { type QueueRecord, type RecordResult, takeRecords } from '../../lib/pipeline/records.ts';
import { createWriteStep, type WriteStep } from '../../lib/pipeline/write/write-step.ts';
import { drawThawMs } from './call-port.ts';
import { checkAcknowledged, checkPauseEnded } from './check-acknowledged.ts';
import { checkTold } from './check-skipped.ts';
import { type Component, createInvocation, type Invocation, kill } from './invocation.ts';
import { createPorts, type SimulatedPorts } from './simulated-ports.ts';
import type { World } from './world.ts';

type Step = (record: QueueRecord, remainingMs: () => number) => Promise<RecordResult>;

/** A warm process: it takes one invocation after the other, with what it remembers, until it dies. */
export interface Process {
  invocation: Invocation | undefined;
  readonly ports: SimulatedPorts;
  readonly step: Step;
  /** Of `write` alone. */
  readonly takeTogether?: WriteStep['writeTogether'] | undefined;
}

const TIMEOUT_MS: Readonly<Record<Component, number>> = {
  detect: 60_000,
  embed: 90_000,
  write: 40_000,
  guard: 30_000,
};
/** `functions/lambda.ts` answers this long before the time is over. */
const EARLY_MS = 1_000;

function takeProcess(world: World, component: Component): Process {
  const idle = world.random.chance(0.8) ? world.warm[component].pop() : undefined;
  if (idle) return idle;
  const started: { invocation: Invocation | undefined } = { invocation: undefined };
  const ports = createPorts(world, () => started.invocation as Invocation);
  if (component === 'write') {
    const { writeOne, writeTogether } = createWriteStep(ports.write);
    return Object.assign(started, { ports, step: writeOne, takeTogether: writeTogether });
  }
  const step: Step = (record, remainingMs) => embedRecord(ports.embed, record, remainingMs);
  return Object.assign(started, { ports, step });
}

/** Runs the step of `functions/embed` or `functions/write` over a batch, and answers which messages are done: all, some at the time-out, or none. */
export function invokeConsumer(
  world: World,
  component: 'embed' | 'write',
  records: readonly QueueRecord[],
  answer: (acknowledged: ReadonlySet<string>) => void,
): void {
  const process = takeProcess(world, component);
  const acknowledged = new Set<string>();
  runInvocation(
    world,
    process,
    component,
    () => answer(acknowledged),
    () => acknowledged.clear(),
    invocation =>
      takeRecords(
        process.ports.records,
        records,
        record => {
          invocation.recordSequence = world.sequence;
          return process.step(record, () => invocation.deadlineMs - world.scheduler.nowMs());
        },
        {
          remainingMs: () => invocation.deadlineMs - world.scheduler.nowMs(),
          onDone: record => {
            checkAcknowledged(world, component, record);
            if (component === 'write') checkPauseEnded(world, invocation, record);
            acknowledged.add(record.messageId);
          },
          ...(process.takeTogether && {
            takeTogether: async given => {
              invocation.recordSequence = world.sequence;
              const remainingMs = () => invocation.deadlineMs - world.scheduler.nowMs();
              return (await process.takeTogether?.(given, remainingMs)) ?? [];
            },
          }),
        },
      ),
  );
}

export function invokeDetect(world: World, request: DetectRequest, ended: () => void): void {
  const process = takeProcess(world, 'detect');
  runInvocation(
    world,
    process,
    'detect',
    ended,
    () => undefined,
    invocation =>
      detectStaleRows(process.ports.detect, request, () => invocation.deadlineMs - world.scheduler.nowMs()),
  );
}

/** What the guard's schedule and its alarms do. */
export function invokeGuard(world: World, ended: () => void): void {
  const process = takeProcess(world, 'guard');
  runInvocation(
    world,
    process,
    'guard',
    ended,
    () => undefined,
    invocation =>
      guardPipeline(
        process.ports.guard,
        { action: 'check' },
        () => invocation.deadlineMs - world.scheduler.nowMs(),
      ),
  );
}

/** However it ends, `answer` is called once, at the end or when the time is over; `forget` before it where nobody could answer. */
function runInvocation(
  world: World,
  process: Process,
  component: Component,
  answer: () => void,
  forget: () => void,
  work: (invocation: Invocation) => Promise<unknown>,
): void {
  const invocation = createInvocation(world, component, TIMEOUT_MS[component]);
  process.invocation = invocation;
  world.running += 1;
  let answered = false;
  const end = (reusable: boolean) => {
    if (answered) return;
    answered = true;
    world.running -= 1;
    if (reusable) world.warm[component].push(process);
    answer();
  };
  const settle = () => {
    if (invocation.state !== 'running') return;
    invocation.state = 'returned';
    checkTold(world, invocation);
    world.trace.event(`${component} returns`, invocation.number);
    end(true);
  };
  invocation.died = () => {
    if (answered) return;
    forget();
    end(false);
  };
  world.trace.event(`${component} begins`, invocation.number);
  world.hasWoken = true;
  work(invocation).then(settle, error => {
    world.trace.event(`${component} rejects`, invocation.number, () => String(error));
    if (!(error instanceof FreshetError)) world.violate('no-surprise', `${component}: ${String(error)}`);
    settle();
  });
  world.scheduler.after(TIMEOUT_MS[component] - EARLY_MS, () => {
    if (answered) return;
    world.hardFaults += 1;
    if (world.random.chance(0.5)) return kill(world, invocation, 'out of time');
    invocation.state = 'frozen';
    invocation.thawMs = drawThawMs(world);
    world.trace.event(`${component} is answered for`, invocation.number);
    end(false);
  });
}
