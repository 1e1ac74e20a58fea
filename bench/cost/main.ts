import { writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { pricePlumbing, totalOf } from '../../lib/core/aws-cost.ts';
import type { KeptCount } from '../../lib/core/counted-run.ts';
import { UsageError } from '../../lib/core/errors.ts';
import { createMoney } from './cost-lines.ts';
import { countRun } from './count-run.ts';
import { ASSUMPTIONS, COST_PAGE, composePageOf, keepCount } from './counted-page.ts';
import { describeStage } from './describe-stage.ts';

const USAGE = `Usage: npm run cost [-- --rows N] [--provider-ms N] [--currency EUR --rate 0.92] [--out FILE]

  Embeds N rows (5,000) by the built functions on servers of this process, counts what they ask for, and writes docs/cost.md. With --out the page goes
  to FILE, and the count is not kept.`;

/** Reads the flags. Says what is wrong with one and ends the process, before it measures. */
function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        rows: { type: 'string', default: '5000' },
        'provider-ms': { type: 'string', default: String(ASSUMPTIONS.providerMs) },
        currency: { type: 'string' },
        rate: { type: 'string' },
        out: { type: 'string' },
      },
    });
    const rows = readWholeNumber('rows', values.rows, 300);
    const providerMs = readWholeNumber('provider-ms', values['provider-ms'], 0);
    const { currency, rate, out } = values;
    createMoney(currency, rate);
    return { rows, providerMs, currency, rate, file: out };
  } catch (error) {
    if (error instanceof UsageError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS')) {
      const remedy = error instanceof UsageError && error.remedy !== undefined ? `\n  ${error.remedy}` : '';
      process.stderr.write(`${(error as Error).message}${remedy}\n\n${USAGE}\n`);
      process.exit(2);
    }
    throw error;
  }
}

function readWholeNumber(name: string, text: string, least: number): number {
  const value = /^\d{1,7}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least) return value;
  throw new UsageError(`--${name} ${JSON.stringify(text)}: expected a whole number from ${least}.`);
}

const { rows, providerMs, currency, rate, file } = readOptions();
const described = describeStage();
const run = await countRun(rows, described.environments);
const [load = 0] = loadavg();
const machine = `Node ${process.versions.node}, ${availableParallelism()} shared cores, ${process.arch}, under a load of ${load.toFixed(1)}`;
const count: KeptCount = { machine, providerMs, currency, rate, run };
if (file === undefined) keepCount(count);
writeFileSync(file ?? COST_PAGE, composePageOf(count, described));
const total = totalOf(pricePlumbing(run, { ...ASSUMPTIONS, providerMs }));
process.stdout.write(`${file ?? COST_PAGE}: $${total.toFixed(3)} of AWS for a million rows.\n`);
