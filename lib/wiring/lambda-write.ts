import { createS3Client, createS3ObjectStore } from '../adapters/s3/object-store.ts';
import { createOutcomeStore } from '../adapters/sql/outcome-store.ts';
import { countBuffersAsHeap } from '../adapters/system.ts';
import type { WritePorts } from '../pipeline/write/write-step.ts';
import type { LambdaDependencies } from './lambda.ts';
import { type Wired, wireLambda } from './lambda.ts';
import { openWithDatabase } from './lambda-parts.ts';

export async function wireWrite(surroundings?: LambdaDependencies): Promise<Wired<WritePorts>> {
  countBuffersAsHeap();
  return wireLambda('write', surroundings, given =>
    openWithDatabase('write', given, parts => {
      const { settings, database } = parts;
      const client = createS3Client({ region: settings.region });
      return {
        ...parts,
        outcomes: createOutcomeStore(database),
        objects: createS3ObjectStore({ client, bucket: settings.claimsBucket }),
      };
    }),
  );
}
