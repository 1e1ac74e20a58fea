import { connectClient } from './connect-client.ts';
import { endSession } from './end-session.ts';
import type { PostgresEndpoint } from './postgres-endpoint.ts';
import { accessByEndpoint } from './server-access.ts';

/** Before anything else is opened there: what opens a database looks for the type. Idempotent. Rejects with `FreshetError`. */
export async function createVectorExtension(endpoint: PostgresEndpoint): Promise<void> {
  const client = await connectClient(await accessByEndpoint(endpoint));
  try {
    await client.query('CREATE EXTENSION IF NOT EXISTS vector');
  } finally {
    await endSession(client);
  }
}
