import { afterAll, beforeAll, test } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { type OpenedSpace, openSpace } from '../database/open-space.ts';
import { openTestDatabase } from '../database/open-test-database.ts';
import { COMPOSITE_COLUMNS, createPair } from './differential/pair.ts';
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
/** Databases that histories are replayed in at the same time: each of them waits for its answers most of its time. */
const LANES = 3;
/** Each history empties the tables; what it leaves behind is swept up now and then, or every scan would read it. */
const HISTORIES_PER_VACUUM = 100;

/** Every such history is of keys with two parts. */
const HISTORIES_PER_PAIRS = 3;

interface Lane {
  readonly migrated: SqlDatabase;
  readonly items: OpenedSpace;
  /** A source whose key has two parts. */
  readonly pairs: OpenedSpace;
  readonly server: VirtualServer;
  readonly sessions: readonly ApplicationSession[];
}

let lanes: Lane[];

beforeAll(async () => {
  lanes = await Promise.all(Array.from({ length: LANES }, openLane));
}, 300_000);
afterAll(async () => {
  for (const { migrated, server, sessions } of lanes) {
    await Promise.all(sessions.map(session => session.close()));
    await server.close();
    await migrated.close();
  }
});

async function openLane(): Promise<Lane> {
  const migrated = await openTestDatabase();
  const search = { filters: [], tenant: 'title', keywords: { language: 'simple' } };
  const items = await openSpace(migrated, {}, { text: { columns: ['title'] }, search });
  const pairs = await openSpace(
    migrated,
    { name: 'pairs', keyColumns: COMPOSITE_COLUMNS },
    { name: 'pairs', table: 'pairs', text: { columns: ['title'] }, search: { filters: [], tenant: 'title' } },
  );
  // A history begins and ends with empty tables; the lane's first one begins so too.
  await items.run('DELETE FROM freshet.positions');
  const [named] = await items.select<{ name: string }>('SELECT current_database()::text AS name');
  const url = new URL(process.env.DATABASE_URL ?? '');
  url.pathname = `/${named?.name}`;
  const server = await openVirtualServer(migrated, url.href);
  const sessions = await Promise.all(Array.from({ length: SESSIONS }, () => server.openSession()));
  return { migrated, items, pairs, server, sessions };
}

/** Every LANES-th history, from the lane's own first one. */
async function replay(
  { items, pairs, server, sessions }: Lane,
  lane: number,
  signal: AbortSignal,
): Promise<void> {
  let replayed = 0;
  for (let seed = FIRST_SEED + lane; seed < FIRST_SEED + HISTORIES && !signal.aborted; seed += LANES) {
    const { space } = seed % HISTORIES_PER_PAIRS === 0 ? pairs : items;
    const difference = await runHistory(createPair(seed, server, space, sessions), OPERATIONS);
    if (difference) throw new Error(describeDifference(seed, difference));
    replayed += 1;
    if (replayed % HISTORIES_PER_VACUUM === 0) await server.vacuum();
  }
}

function describeDifference(seed: number, { operation, real, twin, trace }: Difference): string {
  const again = `FRESHET_DIFFERENTIAL_START=${seed} FRESHET_DIFFERENTIAL_HISTORIES=1 npm run test:postgres -- differential`;
  return `History ${seed} differs at ${operation}.\nPostgreSQL: ${real}\ntwin:       ${twin}\n${trace.join('\n')}\nagain: ${again}`;
}

test(`the in-memory twin answers ${HISTORIES} histories as PostgreSQL does, and ends them in the same state`, async () => {
  const startedMs = performance.now();
  const stopped = new AbortController();
  await Promise.all(
    lanes.map((lane, place) =>
      replay(lane, place, stopped.signal).catch(error => {
        stopped.abort();
        throw error;
      }),
    ),
  );
  const elapsedSeconds = (performance.now() - startedMs) / 1000;
  process.stdout.write(
    `${HISTORIES} histories of ${OPERATIONS} operations in ${elapsedSeconds.toFixed(1)} s (${Math.round(HISTORIES / elapsedSeconds)} per second)\n`,
  );
}, 1_800_000);
