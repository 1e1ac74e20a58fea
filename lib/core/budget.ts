import { PIPELINE_SCOPE, sourceScope } from './control.ts';

/** What may be spent in a period, in US dollars. Days and months begin at midnight in UTC. */
interface PeriodBudget {
  readonly usdPerDay?: number | undefined;
  readonly usdPerMonth?: number | undefined;
}

/** The section `budget` of the configuration. */
export interface Budget extends PeriodBudget {
  /** By the name of the source. */
  readonly perSource?: Readonly<Record<string, PeriodBudget>> | undefined;
}

/** One cap: what may be spent on everything, or on one source, within a period. */
export interface Cap {
  /** The scope that is paused where the cap is reached. */
  readonly scope: string;
  /** Null: all sources together. */
  readonly source: string | null;
  readonly period: 'day' | 'month';
  readonly usd: number;
  /**
   * The sentence of the pause.
   * A pause holds as long as the configuration has its cap word by word, and its period lasts: a
   * cap that is raised lifts it.
   */
  readonly sentence: string;
}

/** The share of a cap, in percent, from which people are told that it is nearly reached. */
export const CAP_NEAR_PERCENT = 80;

interface SpentOfCap {
  readonly capUsd: number;
  readonly spentUsd: number;
}

/** What is spent of a cap, in percent, floored: 100 means that nothing of it is left. */
export function percentOf({ capUsd, spentUsd }: SpentOfCap): number {
  // A sum of bills can lie a little below the dollars that it stands for.
  return Math.floor((100 * spentUsd) / capUsd + 1e-9);
}

/** Whether people are told that a cap is reached, or nearly so; undefined: there is much left. */
export function judgeSpending(spending: SpentOfCap): 'reached' | 'nearly reached' | undefined {
  const percent = percentOf(spending);
  if (percent >= 100) return 'reached';
  return percent >= CAP_NEAR_PERCENT ? 'nearly reached' : undefined;
}

/** Writes the end of a period, which is ISO 8601 in UTC, for people. */
export function formatPeriodEnd(endsAt: string): string {
  return endsAt.replace('T', ' ').replace(/:00Z$/, ' UTC');
}

/** Lists the caps of a budget, those of everything first; none where no budget is configured. */
export function listCaps(budget: Budget | undefined): readonly Cap[] {
  if (budget === undefined) return [];
  const ofSources = Object.entries(budget.perSource ?? {}).flatMap(([name, own]) =>
    capsOf(own, sourceScope(name), name, `budget.perSource.${name}`),
  );
  return [...capsOf(budget, PIPELINE_SCOPE, null, 'budget'), ...ofSources];
}

function capsOf(budget: PeriodBudget, scope: string, source: string | null, path: string): Cap[] {
  const begins = { day: 'at midnight UTC', month: 'on the first of the month, UTC' } as const;
  const cap = (key: 'usdPerDay' | 'usdPerMonth', period: Cap['period']): Cap[] => {
    const usd = budget[key];
    if (usd === undefined) return [];
    const sentence =
      `${path}.${key} is ${usd}, and the next call would go beyond it; it goes on ${begins[period]}, or ` +
      'once the cap is raised';
    return [{ scope, source, period, usd, sentence }];
  };
  return [...cap('usdPerDay', 'day'), ...cap('usdPerMonth', 'month')];
}

/** The caps that calls for a source count against. */
export function capsFor(caps: readonly Cap[], sourceName: string): readonly Cap[] {
  return caps.filter(({ source }) => source === null || source === sourceName);
}
