import { createS3Client, createS3ObjectStore } from '../adapters/s3/object-store.ts';
import { createEmbeddingStore } from '../adapters/sql/embedding-store.ts';
import { countBuffersAsHeap } from '../adapters/system.ts';
import { createTokenizer } from '../adapters/tokenizer.ts';
import { DEFAULT_MAX_BYTES_PER_COLUMN, type EmbedPorts } from '../pipeline/embed/embed-ports.ts';
import { readLambdaDependencies, type Wired, wireLambda } from './lambda.ts';
import { createLambdaProviders, createLambdaQueues } from './lambda-clients.ts';
import { openWithDatabase } from './lambda-ports.ts';

export async function wireEmbed(dependencies = readLambdaDependencies()): Promise<Wired<EmbedPorts>> {
  countBuffersAsHeap();
  return wireLambda('embed', dependencies, () =>
    openWithDatabase('embed', dependencies, async ports => {
      const { settings, config, database, secrets, clock } = ports;
      const { batchSize, timeoutSeconds, maxCharacters } = config.limits;
      const queues = createLambdaQueues(settings, config);
      const client = createS3Client({ region: settings.region });
      return {
        ...ports,
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
