import { expect, test } from 'vitest';
import { detectStaleRows } from '../../lib/pipeline/detect/detect.ts';
import { embedRecord } from '../../lib/pipeline/embed/embed-record.ts';
import { putRow } from '../factories/logged-twin.ts';
import { makeSpace } from '../factories/space.ts';
import { knowAsFast, makeWorld } from '../factories/world.ts';
import { sourceOf, spaceOf } from '../twin/twin-database.ts';

const INVOCATION_MS = 245_000;

/** A run whose bulk calls others outrun each time: its share is always a second away. */
async function openStarvingRun() {
  const space = makeSpace({ model: { limits: { requestsPerMinute: 60 } } });
  const world = makeWorld([space], 10);
  for (let id = 0; id < 10; id += 1) putRow(world.twin, space, String(id), `text ${id}`);
  knowAsFast(world);
  const { rows } = sourceOf(world.twin, space);
  for (const row of rows.values()) rows.set(row.id, { ...row, version: world.twin.now() - 1e12 });
  await detectStaleRows(world.detectPorts, { pass: 'incremental' }, () => INVOCATION_MS);
  await detectStaleRows(world.detectPorts, { pass: 'reconcile' }, () => INVOCATION_MS);
  const bulk = world.dispatch.find(({ lane }) => lane === 'bulk')!.queue;
  const [message] = await bulk.receive(1);
  const pace = { ...world.embedPorts.pace, takeRate: async () => 1_000 };
  return { world, space, message: message!, ports: { ...world.embedPorts, runId: 1, pace } };
}

test('a run gives rows back for which it waits long for its share, so that an edit of one goes on', async () => {
  const { world, space, message, ports } = await openStarvingRun();
  const beganMs = world.clock.now();

  const result = await embedRecord(ports, message, () => INVOCATION_MS - (world.clock.now() - beganMs));

  expect(result).toBe('returned');
  expect(world.clock.now() - beganMs).toBeLessThanOrEqual(31_000);
  putRow(world.twin, space, '3', 'edited');
  await detectStaleRows(world.detectPorts, { pass: 'incremental' }, () => INVOCATION_MS);
  expect(spaceOf(world.twin, space).leases.get('3')).toMatchObject({ lane: 'fresh', attempts: 0 });
});
