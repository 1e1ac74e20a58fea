import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { CLAIM_RETENTION_DAYS } from '../../lib/constructs/function-settings.ts';
import { wrapProse } from '../apparatus/wrap-prose.ts';
import { type CountedRun, createMoney } from './cost-lines.ts';
import { composeCostPage } from './cost-page.ts';
import type { describeStage } from './describe-stage.ts';
import type { PlumbingAssumptions } from './price-month.ts';

/** What cannot be counted without an account. `PlumbingAssumptions` says what each number is. */
export const ASSUMPTIONS: PlumbingAssumptions = {
  providerMs: 500,
  tracedShare: 0.05,
  claimRetentionDays: CLAIM_RETENTION_DAYS,
  claimHours: 1,
  platformLogBytes: 700,
};

/** What `npm run cost` counted, and what it was asked for. */
export interface KeptCount {
  readonly machine: string;
  readonly providerMs: number;
  readonly currency?: string | undefined;
  readonly rate?: string | undefined;
  readonly run: CountedRun;
}

export const COST_PAGE = path.resolve(import.meta.dirname, '../../docs/cost.md');

const KEPT_COUNT = path.join(import.meta.dirname, 'counted-run.json');

export function keepCount(count: KeptCount): void {
  writeFileSync(KEPT_COUNT, `${JSON.stringify(count, null, 2)}\n`);
}

export function readCount(): KeptCount {
  return JSON.parse(readFileSync(KEPT_COUNT, 'utf8'));
}

/** Composes the page of a count, at the prices of now. */
export function composePageOf(
  { machine, providerMs, currency, rate, run }: KeptCount,
  { stage, endpoint }: ReturnType<typeof describeStage>,
): string {
  const assumptions = { ...ASSUMPTIONS, providerMs };
  const money = createMoney(currency, rate);
  return wrapProse(composeCostPage({ run, stage, endpoint, assumptions, money, machine }));
}
