import { readLogEvents } from '../../adapters/cloudwatch-logs/read-log-events.ts';
import { readLogGroup } from '../../adapters/lambda-invoke/read-log-group.ts';
import { nearestWord } from '../../core/config/nearest-word.ts';
import { UsageError } from '../../core/errors/usage-error.ts';
import type { Deployment } from './open-deployment.ts';

const LOOK_EVERY_MS = 2000;
/**
 * Milliseconds by which each look begins before the latest event seen.
 * Events arrive late and out of order.
 */
const OVERLAP_MS = 60_000;
/** Matches lines of our own logger, and nothing of the runtime's or of the metrics. */
const OURS = '{ $.event = "*" }';
const TROUBLE = '{ ($.level = "WARN") || ($.level = "ERROR") }';

interface FollowRequest {
  /** `detect`, `embed`, …; undefined: all functions. */
  readonly component: string | undefined;
  /** Milliseconds since the epoch. */
  readonly sinceMs: number;
  readonly follow: boolean;
  readonly troubleOnly: boolean;
  readonly signal: AbortSignal;
  readonly onLine: (line: {
    readonly component: string;
    readonly atMs: number;
    readonly message: string;
  }) => void;
}

/**
 * Reads lines of the functions' logs; with `follow` until the signal aborts.
 * Lines are in the order of time within a look.
 * @throws UsageError for a function that the deployment does not have.
 */
export async function followLogs(deployment: Deployment, request: FollowRequest): Promise<void> {
  const { clients, clock } = deployment;
  const groups = await chooseGroups(deployment, request.component);
  const seen = new Map<string, number>();
  let latestMs = request.sinceMs;
  for (;;) {
    const sinceMs = Math.max(request.sinceMs, latestMs - OVERLAP_MS);
    const lines: Parameters<FollowRequest['onLine']>[0][] = [];
    for (const [component, logGroup] of groups) {
      const filter = request.troubleOnly ? TROUBLE : OURS;
      for await (const event of readLogEvents(clients.logs, { logGroup, sinceMs, filter })) {
        if (seen.has(event.eventId)) continue;
        seen.set(event.eventId, event.atMs);
        latestMs = Math.max(latestMs, event.atMs);
        lines.push({ component, atMs: event.atMs, message: event.message });
      }
    }
    lines.sort((a, b) => a.atMs - b.atMs).forEach(request.onLine);
    for (const [id, atMs] of seen) if (atMs < latestMs - OVERLAP_MS) seen.delete(id);
    if (!request.follow || request.signal.aborted) return;
    await clock.sleep(LOOK_EVERY_MS, request.signal);
    if (request.signal.aborted) return;
  }
}

async function chooseGroups(
  { functions, clients }: Deployment,
  component: string | undefined,
): Promise<[component: string, logGroup: string][]> {
  const chosen = Object.entries(functions).filter(([name]) => component === undefined || name === component);
  if (chosen.length > 0)
    return Promise.all(
      chosen.map(async ([name, functionName]) => [name, await readLogGroup(clients.lambda, functionName)]),
    );
  const names = Object.keys(functions);
  const nearest = nearestWord(component ?? '', names);
  throw new UsageError(
    `--function ${JSON.stringify(component)}: there is no such function.${nearest === undefined ? '' : ` Did you mean ${nearest}?`}`,
    `Functions: ${names.join(', ')}`,
  );
}
