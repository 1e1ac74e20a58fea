import { readSpending } from '../adapters/sql/caps.ts';
import { createEmbeddingStore } from '../adapters/sql/embedding-store.ts';
import { createPaceStore } from '../adapters/sql/pace-store.ts';
import { createQuoteStore } from '../adapters/sql/quote-store.ts';
import { createSystemClock } from '../adapters/system.ts';
import { createTokenizer } from '../adapters/tokenizer.ts';
import { listCaps } from '../core/budget.ts';
import type { Space } from '../core/model.ts';
import type { SpaceQuote } from '../core/quote.ts';
import { DEFAULT_MAX_BYTES_PER_COLUMN } from '../pipeline/embed/embed-ports.ts';
import { readIfSourceIntact } from '../pipeline/failures.ts';
import { quoteReset, quoteTexts } from '../pipeline/quote.ts';
import type { ResetPlan, Spending } from '../ports/report-store.ts';
import { createLocalAccess, createProviders } from './providers.ts';
import type { Workspace } from './workspace.ts';

/**
 * Quotes what the next run buys for each space. Nothing is bought and nothing is written.
 * A space that stands in for a paused model is left out, and one whose source cannot be read.
 */
export async function quoteSpaces(workspace: Workspace, spaces: readonly Space[]): Promise<SpaceQuote[]> {
  const { config, database, environment } = workspace;
  const { batchSize, concurrency, maxCharacters } = config.limits;
  const providers = await createProviders(config, createLocalAccess(environment), createSystemClock());
  const ports = {
    quotes: createQuoteStore(database),
    embedding: createEmbeddingStore(database),
    pace: createPaceStore(database),
    tokenizer: createTokenizer(),
    limits: {
      ...{ batchSize, callsAtOnce: concurrency, maxCharacters },
      maxBytesPerColumn: DEFAULT_MAX_BYTES_PER_COLUMN,
    },
  };
  const quotes: SpaceQuote[] = [];
  for (const space of spaces) {
    const provider = providers.get(space.model.alias);
    if (space.fallbackFor !== undefined || provider === undefined) continue;
    const quote = await readIfSourceIntact(() => quoteTexts({ ...ports, provider }, space));
    if (quote !== undefined) quotes.push(quote);
  }
  return quotes;
}

/**
 * Makes what quotes a reset of a space: what is bought again. The providers are made once.
 * It throws Error for a space of another configuration.
 */
export function createResetQuotes({
  config,
  database,
  environment,
}: Workspace): (space: Space, plan: ResetPlan) => Promise<SpaceQuote> {
  let made: ReturnType<typeof createProviders> | undefined;
  return async (space, plan) => {
    made ??= createProviders(config, createLocalAccess(environment), createSystemClock());
    const provider = (await made).get(space.model.alias);
    if (provider === undefined) throw new Error(`There is no model ${JSON.stringify(space.model.alias)}.`);
    const { batchSize, concurrency } = config.limits;
    return quoteReset(
      {
        ...{ quotes: createQuoteStore(database), pace: createPaceStore(database), provider },
        limits: { batchSize, callsAtOnce: concurrency },
      },
      space,
      plan,
    );
  };
}

/** What is spent of each cap of the budget. */
export function readCaps({ config, database }: Workspace): Promise<readonly Spending[]> {
  return readSpending(database, listCaps(config.budget));
}
