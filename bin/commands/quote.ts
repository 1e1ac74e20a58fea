import { UsageError } from '../../lib/core/errors.ts';
import type { AskOperator, StageQuote } from '../../lib/ports/operator.ts';
import { type Currency, formatQuote } from '../terminal/format-quote.ts';
import type { CommandBody } from './command.ts';
import type { FlagsOf, OperatorCommand } from './table.ts';

export const quoteCommand: CommandBody<OperatorCommand<'quote'>> = {
  check: flags => void currencyOf(flags),
  async run({ flags, terminal, ask, here, result }) {
    const currency = currencyOf(flags);
    const named = flags.source === undefined ? {} : { source: flags.source };
    const shown = currency && { currency };
    if (here === undefined) {
      const quotes = await quoteStage(ask, named);
      result({ quotes, ...shown });
      for (const quote of quotes) for (const line of formatQuote(quote, currency)) terminal.line(line);
      return 0;
    }
    const { quotes } = await here.ask('quote', named);
    result({ quotes, ...shown });
    for (const quote of quotes) for (const line of formatQuote(quote, currency)) terminal.line(line);
    return 0;
  },
};

/** Asks for one space at a time, so that each has an invocation's whole time. */
async function quoteStage(ask: AskOperator, named: { readonly source?: string }): Promise<StageQuote[]> {
  const quotes: StageQuote[] = [];
  let spaceId: number | null = null;
  do {
    const answer: Awaited<ReturnType<typeof askNext>> = await askNext(spaceId);
    quotes.push(...answer.quotes);
    spaceId = answer.next;
  } while (spaceId !== null);
  return quotes;

  function askNext(next: number | null) {
    return ask('quote-space', { ...named, spaceId: next });
  }
}

/** @throws UsageError where one of the two flags is given without the other */
function currencyOf({ currency, rate }: FlagsOf<'quote'>): Currency | undefined {
  if (currency === undefined && rate === undefined) return undefined;
  if (currency === undefined || rate === undefined)
    throw new UsageError('--currency and --rate go together: --currency KRW --rate 1300.');
  return { code: currency, rate };
}
