import type pg from 'pg';

/** A server that is there closes within milliseconds. */
const END_MS = 1_000;

/** Ends a client outside the pool. Never rejects, and waits no longer than a second for a server that is gone: what it held goes with its session. */
export async function endSession(client: pg.Client): Promise<void> {
  const { stream } = (client as unknown as { connection: { stream: { destroy(): void } } }).connection;
  const timer = setTimeout(() => stream.destroy(), END_MS);
  await client
    .end()
    .catch(() => {})
    .finally(() => clearTimeout(timer));
}
