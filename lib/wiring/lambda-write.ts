import { createS3Client, createS3ObjectStore } from '../adapters/s3/object-store.ts';
import { createOutcomeStore } from '../adapters/sql/outcome-store.ts';
import type { WritePorts } from '../pipeline/write/write-step.ts';
import { readLambdaDependencies, type Wired, wireLambda } from './lambda.ts';
import { openWithDatabase } from './lambda-ports.ts';

export async function wireWrite(dependencies = readLambdaDependencies()): Promise<Wired<WritePorts>> {
  return wireLambda('write', dependencies, () =>
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
}
