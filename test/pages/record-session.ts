import { DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { GetEventSourceMappingCommand, ListTagsCommand } from '@aws-sdk/client-lambda';
import { GetScheduleCommand, UpdateScheduleCommand } from '@aws-sdk/client-scheduler';
import {
  CancelMessageMoveTaskCommand,
  ListMessageMoveTasksCommand,
  StartMessageMoveTaskCommand,
} from '@aws-sdk/client-sqs';
import { createStubbedConsole, NOTHING_DONE, refusal } from '../doubles/stubbed-console.ts';

type StubbedConsole = ReturnType<typeof createStubbedConsole>;

interface Step {
  readonly words: string;
  /** Fills the account with what it holds when the command is given. */
  readonly arrange?: (console: StubbedConsole) => void;
}

const since = '2025-12-31 23:14:07+00';
const places = { source: 'ai_items', model: 'small' };
const byOperator = { scope: 'pipeline', reason: 'operator', detail: 'OPS-1', since };
const coverage = {
  ...places,
  ...{ eligible: 120_000, fresh: 118_700, excluded: 40, failed: 60, inFlight: 200, stale: 1_000 },
  coveragePercent: 98.95,
};
const refused = { ...places, failureClass: 'item', code: 'content', rows: 60, exampleIds: ['88', '1402'] };
const quote = {
  ...{ ...places, rows: 1_000, texts: 840, duplicates: 60, copied: 90, touched: 0, excluded: 10 },
  ...{ sampledShare: 1, calls: 9, tokens: 16_800, leastTokens: 16_296, mostTokens: 17_304, seconds: 5 },
  ...{ costUsd: 0.000336, leastCostUsd: 0.000326, mostCostUsd: 0.000346, batch: null },
  aws: { costUsd: 0.000163, callMs: 512, isMeasured: true },
};
const plan = {
  ...{ ...places, rows: 118_700, texts: 101_312, duplicates: 17_348, copied: 0, touched: 0, excluded: 40 },
  ...{ sampledShare: 1, calls: 1_014, tokens: 2_026_240, leastTokens: 1_965_453, mostTokens: 2_087_027 },
  ...{ costUsd: 0.0405, leastCostUsd: 0.0393, mostCostUsd: 0.0417, seconds: 260, batch: null },
  aws: { costUsd: 0.0193, callMs: 512, isMeasured: true },
};

const moveTask = (Status: string, moved: number) => ({
  Results: [
    {
      ...{ Status, ApproximateNumberOfMessagesMoved: moved, ApproximateNumberOfMessagesToMove: 1_200 },
      ...(Status === 'RUNNING' && { TaskHandle: 'handle' }),
    },
  ],
});

const withDeadLetters = (console: StubbedConsole) => console.letters.set('small-bulk-dead', 1_200);
const withMove =
  (...reports: object[]) =>
  (console: StubbedConsole) => {
    const left = [...reports];
    withDeadLetters(console);
    console.stubs.sqs.on(ListMessageMoveTasksCommand).callsFake(() => left.shift());
    console.stubs.sqs.on(StartMessageMoveTaskCommand).resolves({ TaskHandle: 'handle' });
    console.stubs.sqs.on(CancelMessageMoveTaskCommand).resolves({});
  };

/** The commands that an operator types, in the order of a bad night, by their names. */
const SESSIONS = {
  status: [
    {
      words: 'status',
      arrange: console => {
        withDeadLetters(console).set('small-bulk', 4);
        console.answers.set('status', () => ({
          answer: {
            spaces: [coverage],
            unread: [],
            paused: [{ scope: 'model:small', reason: 'provider:insufficient_quota', detail: '', since }],
            ledger: {
              ...NOTHING_DONE,
              providerCalls: 1_412,
              tokens: 2_520_177,
              costUsd: 0.0504,
              necessaryUsd: 0.0502,
              lastUpdate: since,
            },
            queries: { providerCalls: 38, tokens: 190, costUsd: 0.000004, costUsdToday: 0 },
            budget: [
              {
                ...{ scope: 'pipeline', period: 'month', capUsd: 20, spentUsd: 17.3, percent: 86 },
                endsAt: '2026-01-01T00:00:00Z',
              },
            ],
            flows: [],
          },
        }));
      },
    },
    {
      words: 'status --region eu-central-1',
      arrange: ({ stubs }) =>
        stubs.cloudFormation.on(DescribeStacksCommand).rejects(refusal('ValidationError')),
    },
  ],
  quote: [
    {
      words: 'quote --currency KRW --rate 1300',
      arrange: ({ answers }) =>
        answers.set('quote-space', () => ({ answer: { quotes: [quote], next: null } })),
    },
  ],
  logs: [
    {
      words: 'logs --function embed --trouble --since 1h',
      arrange: ({ stubs, clock }) =>
        stubs.logs.on(FilterLogEventsCommand).resolves({
          events: [
            {
              eventId: '1',
              timestamp: clock.now() - 60_000,
              message: JSON.stringify({
                ...{ level: 'ERROR', event: 'record-failed', component: 'embed', stage: 'prod' },
                ...{ failureClass: 'stop', code: 'insufficient_quota', rows: 100 },
              }),
            },
          ],
        }),
    },
  ],
  pause: [
    { words: 'pause --reason OPS-1' },
    {
      words: 'pause --now --reason OPS-1 --apply',
      arrange: ({ answers }) =>
        answers.set('pause', () => ({ answer: { changed: true, paused: [byOperator] } })),
    },
  ],
  resume: [
    {
      words: 'resume --now --apply',
      arrange: ({ answers, stubs }) => {
        answers.set('resume', () => ({ answer: { changed: true, paused: [] } }));
        stubs.lambda
          .on(GetEventSourceMappingCommand)
          .callsFake(({ UUID }) => ({ EventSourceMappingArn: `arn:${UUID}`, State: 'Disabled' }));
        stubs.lambda.on(ListTagsCommand).resolves({ Tags: { 'freshet:paused-by': 'guard' } });
        const enabled = new Set<string>();
        stubs.scheduler
          .on(GetScheduleCommand)
          .callsFake(({ Name }) => ({ Name, State: enabled.has(Name) ? 'ENABLED' : 'DISABLED' }))
          .on(UpdateScheduleCommand)
          .callsFake(({ Name }) => void enabled.add(Name));
      },
    },
  ],
  failures: [
    {
      words: 'failures',
      arrange: ({ answers }) =>
        answers.set('failures', () => ({ answer: { failures: [{ ...refused, lastAt: since }] } })),
    },
  ],
  retry: [
    {
      words: 'retry --class content --apply',
      arrange: ({ answers }) => answers.set('retry', () => ({ answer: { rows: 60, more: false } })),
    },
  ],
  redrive: [
    { words: 'redrive', arrange: withDeadLetters },
    {
      words: 'redrive --queue small/bulk --apply',
      arrange: console => {
        withDeadLetters(console);
        console.answers.set('redrive', ({ limit }) => ({
          answer: { received: Number(limit), dispatched: 300, superseded: 200, left: 0, unreadable: 0 },
        }));
      },
    },
    {
      words: 'redrive --queue small/bulk --whole-queue --per-second 50 --apply',
      arrange: withMove(
        { Results: [] },
        moveTask('RUNNING', 0),
        moveTask('RUNNING', 450),
        moveTask('COMPLETED', 1_200),
      ),
    },
    { words: 'redrive --queue small/bulk --cancel --apply', arrange: withMove(moveTask('RUNNING', 450)) },
  ],
  backfill: [
    {
      words: 'backfill --source ai_items --apply',
      arrange: ({ answers }) => answers.set('backfill', () => ({ answer: { spaces: [places] } })),
    },
  ],
  nudge: [{ words: 'nudge' }],
  reset: [
    { words: 'reset --model small', arrange: withPlan },
    {
      words: 'reset --model small --apply --yes',
      arrange: console => {
        withPlan(console);
        console.answers.set('reset', () => ({ answer: { rows: plan.rows, cursor: null } }));
        console.answers.set('backfill', () => ({ answer: { spaces: [places] } }));
      },
    },
  ],
} as const satisfies Readonly<Record<string, readonly Step[]>>;

function withPlan({ answers }: StubbedConsole): void {
  answers.set('plan-reset', () => ({ answer: { spaces: [plan] } }));
}

export type SessionName = keyof typeof SESSIONS;

export const SESSION_NAMES = Object.keys(SESSIONS) as SessionName[];

/**
 * Records what the commands print on a terminal, indented as code.
 *
 * Output and notices stand in their order. Every command finds a new account.
 */
export async function recordSession(names: readonly SessionName[]): Promise<string> {
  const blocks: string[] = [];
  for (const { words, arrange } of names.flatMap((name): readonly Step[] => SESSIONS[name])) {
    const console = createStubbedConsole();
    arrange?.(console);
    const { printed, code } = await console.run(words);
    const ended = code === 0 ? '' : `[exit ${code}]\n`;
    blocks.push(`$ npm run freshet -- aws ${words} --stage prod\n${printed}${ended}`);
  }
  return blocks
    .join('')
    .trimEnd()
    .split('\n')
    .map(line => (line === '' ? '' : `    ${line}`))
    .join('\n');
}

/** The keys that each command of the sessions has in the one object of `--json`, in their order; each line once. */
export async function recordKeys() {
  const recorded = new Map<string, { readonly name: SessionName; readonly keys: readonly string[] }>();
  for (const name of SESSION_NAMES)
    for (const { words, arrange } of SESSIONS[name] as readonly Step[]) {
      const console = createStubbedConsole();
      arrange?.(console);
      const { output } = await console.run(`${words} --json`);
      recorded.set(words, { name, keys: Object.keys(JSON.parse(output)) });
    }
  return recorded;
}
