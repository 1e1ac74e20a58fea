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
import type { SpaceQuote } from '../core/quote.ts';
import { DEFAULT_MAX_BYTES_PER_COLUMN } from '../pipeline/embed/embed-ports.ts';
import { readIfSourceIntact } from '../pipeline/failures.ts';
import { quoteReset, quoteTexts } from '../pipeline/quote.ts';
import type { StageQuote } from '../ports/operator.ts';
import type { Clock } from '../ports/process.ts';
import type { SecretStore } from '../ports/provider.ts';
import type { ResetPlan } from '../ports/report-store.ts';
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
  const { config, database } = ports;
  const basis = await openBasis(ports, space);
  return readIfSourceIntact(async () => {
    const quote = await quoteTexts(
      {
        ...{ ...basis, embedding: createEmbeddingStore(database), tokenizer: createTokenizer() },
        limits: {
          ...{ ...basis.limits, maxCharacters: config.limits.maxCharacters },
          maxBytesPerColumn: DEFAULT_MAX_BYTES_PER_COLUMN,
        },
      },
      space,
    );
    return priceOnStage(basis, space, quote);
  });
}

/** Quotes what a reset of a space of a stage has bought again, and what AWS is paid for it. */
export async function quoteResetOnStage(
  ports: StageQuotePorts,
  space: Space,
  plan: ResetPlan,
): Promise<StageQuote> {
  const basis = await openBasis(ports, space);
  return priceOnStage(basis, space, await quoteReset(basis, space, plan));
}

async function openBasis({ settings, config, database, secrets, clock }: StageQuotePorts, space: Space) {
  const { batchSize, concurrency } = config.limits;
  return {
    quotes: createQuoteStore(database),
    pace: createPaceStore(database),
    provider: (await createLambdaProviders(settings, config, secrets, clock))(space.model.alias),
    limits: { batchSize, callsAtOnce: settings.bulkEnvironments ?? concurrency },
  };
}

type Basis = Awaited<ReturnType<typeof openBasis>>;

async function priceOnStage({ quotes, limits }: Basis, space: Space, quote: SpaceQuote): Promise<StageQuote> {
  const measured = await quotes.measureCalls(space);
  const isMeasured = measured.tokens > 0 && quote.calls > 0;
  const callMs = isMeasured
    ? (quote.tokens * measured.latencyMs) / measured.tokens / quote.calls
    : UNCOUNTED.providerMs;
  const { batchSize, callsAtOnce: bulkEnvironments } = limits;
  const costUsd = priceQuotedRows(KEPT_COUNT.run, { ...quote, batchSize, callMs, bulkEnvironments });
  return { ...quote, aws: { costUsd, callMs, isMeasured } };
}
