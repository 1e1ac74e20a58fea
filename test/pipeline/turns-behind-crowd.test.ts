import { expect, test } from 'vitest';
import type { DetectPorts } from '../../lib/pipeline/detect/detect-ports.ts';
import { leaseInTurn } from '../../lib/pipeline/detect/turns-behind-crowd.ts';
import { minutesAgo, putRow } from '../factories/logged-twin.ts';
import { makeSpace } from '../factories/space.ts';
import { makeWorld } from '../factories/world.ts';
import { printTimestamp } from '../twin/timestamps.ts';
import { sourceOf } from '../twin/twin-database.ts';

const space = makeSpace({ source: { tenantColumn: 'tenant' } });
const FIRST = '0000';

/** Forty rows of a crowd that were changed ten minutes ago; a look walks ten rows of a part. */
function openCrowd() {
  const world = makeWorld([space]);
  const { twin, detectPorts } = world;
  const source = sourceOf(twin, space);
  const { rows } = source;
  const put = (id: string, tenant: string, minutes: number) => {
    putRow(twin, space, id, `text ${id}`, minutesAgo(twin, minutes));
    rows.set(id, { ...rows.get(id)!, tenant });
  };
  for (let row = 0; row < 40; row += 1) put(String(row).padStart(4, '0'), 'crowd', 10);
  const from = { version: printTimestamp(minutesAgo(twin, 10)), id: FIRST };
  const page = [{ id: FIRST, attempts: 0, version: from.version }];
  const parts: string[] = [];
  const { leaseBehindCrowd } = detectPorts.detection;
  const detection: typeof detectPorts.detection = {
    ...detectPorts.detection,
    leaseBehindCrowd(among, asked) {
      parts.push(asked.olderThan ? 'older' : asked.newerThan ? 'newer' : 'newest');
      return leaseBehindCrowd(among, asked);
    },
  };
  const ports: DetectPorts = { ...detectPorts, detection, limits: { ...detectPorts.limits, sliceRows: 5 } };
  /** Looks behind the page, and resolves with the ids of what that leased. */
  const look = async (changes: { limit?: number; beginsTick?: boolean } = {}): Promise<string[]> => {
    const turns = { limit: 10, maxAttempts: undefined, from, beginsTick: false, ...changes };
    return (await leaseInTurn(ports, space, page, turns)).rows.map(({ id }) => id);
  };
  return { source, put, parts, look };
}

test('an edit that was committed late, among rows that were walked, is leased by the first look of the next tick', async () => {
  const { put, look } = openCrowd();
  put('9001', 'few', 1);
  expect(await look({ beginsTick: true })).toEqual(['9001']);

  put('9002', 'late', 2);

  expect(await look()).toEqual([]);
  expect(await look({ beginsTick: true })).toEqual(['9002']);
});

test('an edit of a tick whose first look had no room for others is leased by the next one', async () => {
  const { put, look } = openCrowd();
  put('9001', 'few', 1);
  expect(await look({ beginsTick: true })).toEqual(['9001']);

  put('9002', 'late', 2);

  expect(await look({ beginsTick: true, limit: 0 })).toEqual([]);
  expect(await look()).toEqual(['9002']);
});

test('a walk goes on behind a look that had no room for others', async () => {
  const { parts, look } = openCrowd();

  for (const limit of [10, 0, 10]) await look({ limit });

  expect(parts).toEqual(['newest', 'older', 'newer']);
});

test('a row that cannot be looked at does not hold up the walk behind a crowd', async () => {
  const { source, put, look } = openCrowd();
  source.raising.add('0025');
  for (const id of ['0015', '0025', '0035']) put(id, 'few', 10);

  const leased: string[] = [];
  for (let looks = 0; looks < 4; looks += 1) leased.push(...(await look()));

  expect(leased).toEqual(['0035', '0015']);
});

test('edits and rows that wait longer take turns, where a look has room for one of them', async () => {
  const { put, look } = openCrowd();
  put('0025', 'few', 10);
  put('0026', 'few', 10);
  expect(await look({ limit: 1 })).toEqual([]);
  put('9001', 'late', 1);
  put('9002', 'late', 1);

  const leased: string[] = [];
  for (let looks = 0; looks < 4; looks += 1) leased.push(...(await look({ limit: 1 })));

  expect(leased).toEqual(['0025', '9001', '0026', '9002']);
});
