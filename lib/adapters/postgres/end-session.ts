import type pg from 'pg';

/** Milliseconds to wait for the server; a server that is there closes within a few. */
const END_MS = 1_000;

/**
 * Ends a client outside the pool; never rejects.
 * A server that is gone is waited for no longer than a second. What the client held goes with its
 * session.
 */
export async function endSession(client: pg.Client): Promise<void> {
  const { stream } = (client as unknown as { connection: { stream: { destroy(): void } } }).connection;
  const timer = setTimeout(() => stream.destroy(), END_MS);
  await client
    .end()
    .catch(() => {})
    .finally(() => clearTimeout(timer));
}
