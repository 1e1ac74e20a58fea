import type { SqlDatabase } from '../adapters/sql/database.ts';
import { createEmbeddingStore } from '../adapters/sql/embedding-store.ts';
import { createPaceStore } from '../adapters/sql/pace-store.ts';
import { createQuoteStore } from '../adapters/sql/quote-store.ts';
import { createTokenizer } from '../adapters/tokenizer.ts';
import { priceQuotedRows, UNCOUNTED } from '../core/aws-cost.ts';
import type { DeploymentSettings } from '../core/config/deployment-settings.ts';
import type { PipelineConfig } from '../core/config/pipeline-config.ts';
import { KEPT_COUNT } from '../core/counted-run.ts';
import type { Space } from '../core/model.ts';
import { DEFAULT_MAX_BYTES_PER_COLUMN } from '../pipeline/embed/embed-ports.ts';
import { readIfSourceIntact } from '../pipeline/failures.ts';
import { quoteTexts } from '../pipeline/quote.ts';
import type { StageQuote } from '../ports/operator.ts';
import type { Clock } from '../ports/process.ts';
import type { SecretStore } from '../ports/provider.ts';
import { createLambdaProviders } from './lambda-clients.ts';

/** What the function `operate` quotes with. */
interface StageQuotePorts {
  readonly settings: DeploymentSettings;
  readonly config: PipelineConfig;
  readonly database: SqlDatabase;
  readonly secrets: SecretStore;
  readonly clock: Clock;
}

/**
 * Quotes what the next ticks buy for a space of a stage, and what AWS is paid for it.
 * The texts are read, counted and forgotten in the function: no provider is called, for whose key
 * the function has no right.
 */
export async function quoteOnStage(ports: StageQuotePorts, space: Space): Promise<StageQuote | undefined> {
  const { settings, config, database, secrets, clock } = ports;
  const { batchSize, concurrency, maxCharacters } = config.limits;
  const provider = (await createLambdaProviders(settings, config, secrets, clock))(space.model.alias);
  const bulkEnvironments = settings.bulkEnvironments ?? concurrency;
  const quotes = createQuoteStore(database);
  return readIfSourceIntact(async () => {
    const quote = await quoteTexts(
      {
        quotes,
        embedding: createEmbeddingStore(database),
        pace: createPaceStore(database),
        provider,
        tokenizer: createTokenizer(),
        limits: {
          ...{ batchSize, maxCharacters, callsAtOnce: bulkEnvironments },
          maxBytesPerColumn: DEFAULT_MAX_BYTES_PER_COLUMN,
        },
      },
      space,
    );
    const measured = await quotes.measureCalls(space);
    const isMeasured = measured.tokens > 0 && quote.calls > 0;
    const callMs = isMeasured
      ? (quote.tokens * measured.latencyMs) / measured.tokens / quote.calls
      : UNCOUNTED.providerMs;
    const costUsd = priceQuotedRows(KEPT_COUNT.run, { ...quote, batchSize, callMs, bulkEnvironments });
    return { ...quote, aws: { costUsd, callMs, isMeasured } };
  });
}
