import { createS3Client, createS3ObjectStore } from '../adapters/s3/object-store.ts';
import { createEmbeddingStore } from '../adapters/sql/embedding-store.ts';
import { createPaceStore } from '../adapters/sql/pace-store.ts';
import { countBuffersAsHeap } from '../adapters/system.ts';
import { createTokenizer } from '../adapters/tokenizer.ts';
import { listCaps } from '../core/budget.ts';
import { DEFAULT_MAX_BYTES_PER_COLUMN, type EmbedPorts } from '../pipeline/embed/embed-ports.ts';
import { readLambdaDependencies, type Wired, wireLambda } from './lambda.ts';
import { createLambdaProviders, createLambdaQueues, openLambdaBatches } from './lambda-clients.ts';
import { openWithDatabase } from './lambda-ports.ts';

/**
 * Calls of a model that a fleet may have under way: a stage of the default size has twelve workers.
 * The number only says how fast a server must be to need no limit.
 */
const FLEET_CALLS_AT_ONCE = 16;

export async function wireEmbed(dependencies = readLambdaDependencies()): Promise<Wired<EmbedPorts>> {
  const wired = await wireLambda('embed', dependencies, () =>
    openWithDatabase('embed', dependencies, async ports => {
      const { settings, config, database, secrets, clock } = ports;
      const { batchSize, timeoutSeconds, maxCharacters } = config.limits;
      const queues = createLambdaQueues(settings, config);
      const client = createS3Client({ region: settings.region });
      return {
        ...ports,
        embedding: createEmbeddingStore(database, listCaps(config.budget)),
        pace: createPaceStore(database),
        providers: await createLambdaProviders(settings, config, secrets, clock),
        batches: await openLambdaBatches(settings, config, secrets, clock, database),
        tokenizer: createTokenizer(),
        objects: createS3ObjectStore({ client, bucket: settings.claimsBucket }),
        results: queues.results,
        queues: queues.dispatch,
        limits: {
          batchSize,
          callTimeoutMs: timeoutSeconds * 1000,
          callsAtOnce: FLEET_CALLS_AT_ONCE,
          maxReceiveCount: settings.maxReceiveCount,
          announcedLeaseSeconds:
            settings.resultsVisibilitySeconds * settings.maxReceiveCount + settings.embedVisibilitySeconds,
          maxBytesPerColumn: DEFAULT_MAX_BYTES_PER_COLUMN,
          maxCharacters,
        },
        runId: null,
      };
    }),
  );
  // Last: with a flag changed, Node compiles anew what it loads from now on.
  countBuffersAsHeap();
  return wired;
}
