import { createS3Client } from '../adapters/s3/create-s3-client.ts';
import { createS3ObjectStore } from '../adapters/s3/s3-object-store.ts';
import { createOutcomeStore } from '../adapters/sql/writing/sql-outcome-store.ts';
import { countBuffersAsHeap } from '../adapters/system/count-buffers-as-heap.ts';
import type { WritePorts } from '../pipeline/write/write-ports.ts';
import type { LambdaSurroundings } from './lambda-surroundings.ts';
import { openWithDatabase } from './lambda-with-database.ts';
import { type Wired, wireLambda } from './wire-lambda.ts';

export async function wireWrite(surroundings?: LambdaSurroundings): Promise<Wired<WritePorts>> {
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
