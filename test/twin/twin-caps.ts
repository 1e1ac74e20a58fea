import { type Cap, capsFor } from '../../lib/core/budget.ts';
import { BUDGET_PAUSE } from '../../lib/core/control.ts';
import type { Space } from '../../lib/core/model.ts';
import type { CallGrant } from '../../lib/ports/outcome-store.ts';
import type { Micros } from './timestamps.ts';
import type { TwinDatabase } from './twin-database.ts';

/** Finds the first cap that a call would go beyond: `renderReachedCap` of `caps.ts`. */
export function findReachedCap(twin: TwinDatabase, space: Space, grant: CallGrant): Cap | undefined {
  if (grant.estimatedCostUsd <= 0) return undefined;
  return capsFor(twin.caps, space.source.name).find(
    cap => spentUsd(twin, cap) + grant.estimatedCostUsd > cap.usd,
  );
}

/** What was settled, is open, or was lost within the period of a cap. */
export function spentUsd(twin: TwinDatabase, cap: Cap): number {
  const start = periodStart(twin, cap);
  const isCapped = ({ spaceId }: { readonly spaceId: number }) =>
    cap.source === null || twin.spaces.get(spaceId)?.space.source.name === cap.source;
  let spent = 0;
  for (const call of twin.ledger.values())
    if (call.recordedAt >= start && isCapped(call)) spent += call.costUsd;
  for (const grant of twin.grants.values())
    if (grant.grantedAt >= start && isCapped(grant)) spent += grant.estimatedCostUsd;
  if (cap.source === null) spent += queriesUsd(twin, start);
  return spent;
}

/** `renderQueriesUsd` of `query-ledger.ts` */
export function queriesUsd(twin: TwinDatabase, since: Micros): number {
  let spent = 0;
  for (const { costUsd, recordedAt } of twin.queries.values()) if (recordedAt >= since) spent += costUsd;
  return spent;
}

/** `liftBudgetPauses` of `caps.ts` */
export function liftBudgetPauses(twin: TwinDatabase): number {
  const holds = ({ scope, detail, since }: TwinDatabase['pauses'][number]) =>
    twin.caps.some(cap => cap.scope === scope && cap.sentence === detail && since >= periodStart(twin, cap));
  const lifted = twin.pauses.filter(pause => pause.reason === BUDGET_PAUSE && !holds(pause));
  for (const pause of lifted) twin.pauses.splice(twin.pauses.indexOf(pause), 1);
  return lifted.length;
}

export function periodStart(twin: TwinDatabase, { period }: Pick<Cap, 'period'>): Micros {
  const now = new Date(twin.now() / 1000);
  const day = period === 'day' ? now.getUTCDate() : 1;
  return Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), day) * 1000;
}
