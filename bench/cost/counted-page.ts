import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type PlumbingAssumptions, UNCOUNTED } from '../../lib/core/aws-cost.ts';
import { shareConcurrency } from '../../lib/core/config/connections.ts';
import type { KeptCount } from '../../lib/core/counted-run.ts';
import { wrapProse } from '../apparatus/wrap-prose.ts';
import { createMoney } from './cost-lines.ts';
import { composeCostPage } from './cost-page.ts';
import type { describeStage } from './describe-stage.ts';

/** What cannot be counted without an account, for a stage of one model and the defaults. */
export const ASSUMPTIONS: PlumbingAssumptions = {
  ...UNCOUNTED,
  bulkEnvironments: shareConcurrency(1, {}).bulk,
};

export const COST_PAGE = path.resolve(import.meta.dirname, '../../docs/cost.md');

const KEPT_COUNT = path.resolve(import.meta.dirname, '../../lib/core/counted-run.ts');

/** Writes a count into the module that the quote of a stage reads, in the form that biome asks for. */
export function keepCount(count: KeptCount): void {
  const module = readFileSync(KEPT_COUNT, 'utf8');
  const begin = module.indexOf(BEGIN);
  const value = JSON.stringify(count, null, 2)
    .replace(/^( *)"(\w+)":/gm, '$1$2:')
    .replaceAll("'", '’')
    .replaceAll('"', "'")
    .replace(/(?<=[^{[,\s])\n/g, ',\n');
  writeFileSync(KEPT_COUNT, `${module.slice(0, begin)}${BEGIN}${value};\n`);
}

const BEGIN = 'export const KEPT_COUNT: KeptCount = ';

/** Composes the page of a count, at the prices of now. */
export function composePageOf(
  { machine, providerMs, currency, rate, run }: KeptCount,
  { stage, endpoint }: ReturnType<typeof describeStage>,
): string {
  const assumptions = { ...ASSUMPTIONS, providerMs };
  const money = createMoney(currency, rate);
  return wrapProse(composeCostPage({ run, stage, endpoint, assumptions, money, machine }));
}
