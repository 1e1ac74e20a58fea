import * as z from 'zod';
import type { Budget } from '../budget.ts';
import { type ConfigProblem, formatPath, suggestNearest } from './describe-issues.ts';

const amount = () => {
  const error = 'expected US dollars above 0, up to 1,000,000,000';
  return z.number({ error }).positive({ error }).max(1e9, { error });
};

const periods = { usdPerDay: amount().optional(), usdPerMonth: amount().optional() };

/** The section `budget`: what may be spent in a day and in a month, on everything and by source. */
export const budgetSection = z.strictObject(
  {
    ...periods,
    perSource: z
      .record(z.string(), z.strictObject(periods, { error: 'expected an object such as { usdPerDay: 1 }' }), {
        error: 'expected an object of the names of sources',
      })
      .optional(),
  },
  { error: 'expected an object such as { usdPerDay: 5, usdPerMonth: 50 }' },
);

/** Finds names in `perSource` that no source has. */
export function findBudgetProblems(budget: Budget | undefined, sources: readonly string[]): ConfigProblem[] {
  return Object.keys(budget?.perSource ?? {})
    .filter(name => !sources.includes(name))
    .map(name => ({
      path: formatPath(['budget', 'perSource', name]),
      message: `"${name}" is no source${suggestNearest(name, sources)} (known: ${sources.join(', ')})`,
    }));
}
