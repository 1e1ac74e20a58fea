import { connectClient } from './connect-client.ts';
import { endSession } from './end-session.ts';
import type { PostgresEndpoint } from './postgres-endpoint.ts';
import { accessByEndpoint } from './server-access.ts';

/**
 * Creates pgvector in the database of an endpoint where it is missing. Idempotent.
 * This comes before the database is opened anywhere, because opening looks for the type `vector`.
 * @throws FreshetError where the connection fails. A refused statement rejects with the error of
 * `pg`.
 */
export async function createVectorExtension(endpoint: PostgresEndpoint): Promise<void> {
  const client = await connectClient(await accessByEndpoint(endpoint));
  try {
    await client.query('CREATE EXTENSION IF NOT EXISTS vector');
  } finally {
    await endSession(client);
  }
}
