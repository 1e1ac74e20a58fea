import { UsageError } from '../../lib/core/errors.ts';
import { withOperator } from '../../lib/wiring/operator.ts';
import { type Currency, formatQuote } from '../terminal/format-quote.ts';
import { type CommandBody, workspaceRequest } from './command.ts';
import type { FlagsOf, HereCommand } from './table.ts';

export const quoteCommand: CommandBody<HereCommand<'quote'>> = {
  check: flags => void currencyOf(flags),
  async run(context) {
    const { flags, terminal } = context;
    const currency = currencyOf(flags);
    const { quotes } = await withOperator(workspaceRequest(context), operator =>
      operator.ask('quote', flags.source === undefined ? {} : { source: flags.source }),
    );
    terminal.result({ quotes, ...(currency && { currency }) });
    for (const line of quotes.flatMap(quote => formatQuote(quote, currency))) terminal.line(line);
    return 0;
  },
};

/** @throws UsageError where one of the two flags is given without the other */
function currencyOf({ currency, rate }: FlagsOf<'quote'>): Currency | undefined {
  if (currency === undefined && rate === undefined) return undefined;
  if (currency === undefined || rate === undefined)
    throw new UsageError('--currency and --rate go together: --currency KRW --rate 1300.');
  return { code: currency, rate };
}
