import { createS3Client } from '../adapters/s3/create-s3-client.ts';
import { createS3ObjectStore } from '../adapters/s3/s3-object-store.ts';
import { createEmbeddingStore } from '../adapters/sql/embedding/sql-embedding-store.ts';
import { countBuffersAsHeap } from '../adapters/system/count-buffers-as-heap.ts';
import { createTokenizer } from '../adapters/tokenizer/gpt-tokenizer.ts';
import { DEFAULT_MAX_BYTES_PER_COLUMN, type EmbedPorts } from '../pipeline/embed/embed-ports.ts';
import { createLambdaProviders } from './lambda-providers.ts';
import { createLambdaQueues } from './lambda-queues.ts';
import type { LambdaSurroundings } from './lambda-surroundings.ts';
import { openWithDatabase } from './lambda-with-database.ts';
import { type Wired, wireLambda } from './wire-lambda.ts';

export async function wireEmbed(surroundings?: LambdaSurroundings): Promise<Wired<EmbedPorts>> {
  countBuffersAsHeap();
  return wireLambda('embed', surroundings, given =>
    openWithDatabase('embed', given, async parts => {
      const { settings, config, database, secrets, clock } = parts;
      const { batchSize, timeoutSeconds, maxCharacters } = config.limits;
      const queues = createLambdaQueues(settings, config);
      const client = createS3Client({ region: settings.region });
      return {
        ...parts,
        embedding: createEmbeddingStore(database),
        providers: await createLambdaProviders(settings, config, secrets, clock),
        tokenizer: createTokenizer(),
        objects: createS3ObjectStore({ client, bucket: settings.claimsBucket }),
        results: queues.results,
        queues: queues.dispatch,
        limits: {
          batchSize,
          callTimeoutMs: timeoutSeconds * 1000,
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
}
