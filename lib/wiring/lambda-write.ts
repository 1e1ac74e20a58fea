import { createS3Client, createS3ObjectStore } from '../adapters/s3/object-store.ts';
import { createOutcomeStore } from '../adapters/sql/outcome-store.ts';
import { countBuffersAsHeap } from '../adapters/system.ts';
import type { WritePorts } from '../pipeline/write/write-step.ts';
import { readLambdaDependencies, type Wired, wireLambda } from './lambda.ts';
import { openWithDatabase } from './lambda-ports.ts';

export async function wireWrite(dependencies = readLambdaDependencies()): Promise<Wired<WritePorts>> {
  const wired = await wireLambda('write', dependencies, () =>
    openWithDatabase('write', dependencies, ports => {
      const { settings, database } = ports;
      const client = createS3Client({ region: settings.region });
      return {
        ...ports,
        outcomes: createOutcomeStore(database),
        objects: createS3ObjectStore({ client, bucket: settings.claimsBucket }),
      };
    }),
  );
  // Last: with a flag changed, Node compiles anew what it loads from now on.
  countBuffersAsHeap();
  return wired;
}
