import { afterAll, beforeAll, test } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/sql-database.ts';
import { type OpenedSpace, openSpace } from '../support/open-space.ts';
import { openTestDatabase } from '../support/open-test-database.ts';
import { createPair } from './differential/pair.ts';
import { type Difference, runHistory } from './differential/run-history.ts';
import {
  type ApplicationSession,
  openVirtualServer,
  type VirtualServer,
} from './differential/virtual-server.ts';

const FIRST_SEED = Number(process.env.FRESHET_DIFFERENTIAL_START ?? 1);
const HISTORIES = Number(process.env.FRESHET_DIFFERENTIAL_HISTORIES ?? 1_000);
const OPERATIONS = 40;
const SESSIONS = 2;

let migrated: SqlDatabase;
let items: OpenedSpace;
let server: VirtualServer;
let sessions: ApplicationSession[];

beforeAll(async () => {
  migrated = await openTestDatabase();
  items = await openSpace(migrated, {}, { text: { columns: ['title'] } });
  const [named] = await items.select<{ name: string }>('SELECT current_database()::text AS name');
  const url = new URL(process.env.DATABASE_URL ?? '');
  url.pathname = `/${named?.name}`;
  server = await openVirtualServer(migrated, url.href);
  sessions = await Promise.all(Array.from({ length: SESSIONS }, () => server.openSession()));
});
afterAll(async () => {
  await Promise.all(sessions.map(session => session.close()));
  await server.close();
  await migrated.close();
});

function describeDifference(seed: number, { operation, real, twin, trace }: Difference): string {
  const again = `FRESHET_DIFFERENTIAL_START=${seed} FRESHET_DIFFERENTIAL_HISTORIES=1 npm run test:postgres -- differential`;
  return `History ${seed} differs at ${operation}.\nPostgreSQL: ${real}\ntwin:       ${twin}\n${trace.join('\n')}\nagain: ${again}`;
}

test(`the in-memory twin answers ${HISTORIES} histories as PostgreSQL does, and ends them in the same state`, async () => {
  const startedMs = performance.now();
  for (let seed = FIRST_SEED; seed < FIRST_SEED + HISTORIES; seed += 1) {
    const difference = await runHistory(createPair(seed, server, items.space, sessions), OPERATIONS);
    if (difference) throw new Error(describeDifference(seed, difference));
  }
  const elapsedSeconds = (performance.now() - startedMs) / 1000;
  process.stdout.write(
    `${HISTORIES} histories of ${OPERATIONS} operations in ${elapsedSeconds.toFixed(1)} s (${Math.round(HISTORIES / elapsedSeconds)} per second)\n`,
  );
}, 1_800_000);
