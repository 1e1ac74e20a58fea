import { describe, expect, test } from 'vitest';
import { findRunMode } from '../../lib/core/config/run-modes.ts';
import { detectAlone } from '../../lib/pipeline/detect/detect-alone.ts';
import { parseDetectRequest } from '../../lib/pipeline/detect/detect-request.ts';
import { putRow } from '../factories/logged-twin.ts';
import { makeSpace } from '../factories/space.ts';
import { makeWorld } from '../factories/world.ts';

const ROWS = 100;

/** Runs a tick over 100 stale rows, and says how large its messages are. */
async function tick(event: object) {
  const space = makeSpace();
  const world = makeWorld([space]);
  for (let row = 1; row <= ROWS; row += 1) putRow(world.twin, space, String(row), `text ${row}`);
  const modes = { night: { batchSize: 10, maxItems: 35 } };
  const ports = { ...world.detectPorts, findMode: (name: string) => findRunMode(modes, name) };
  const report = await detectAlone(ports, parseDetectRequest(event), () => 600_000);
  const bodies = world.dispatch.flatMap(({ queue }) => queue.remainingBodies());
  const sizes = bodies.map(body => (JSON.parse(body) as { ids: string[] }).ids.length);
  return { leased: report.spaces[0]?.leased, sizes: sizes.sort((a, b) => b - a) };
}

describe('a tick of a schedule that names a mode', () => {
  test('leases no more rows than the mode takes, in batches of its size', async () => {
    expect(await tick({ pass: 'reconcile', mode: 'night' })).toEqual({ leased: 35, sizes: [10, 10, 10, 5] });
    expect(await tick({ pass: 'incremental', mode: 'night', maxRows: 15 })).toMatchObject({ leased: 15 });
  });

  test('takes the modes that come with Freshet, of which one has no limit of rows', async () => {
    expect(await tick({ pass: 'reconcile', mode: 'bootstrap' })).toEqual({ leased: ROWS, sizes: [64, 36] });
    expect(await tick({ pass: 'reconcile' })).toEqual({ leased: ROWS, sizes: [100] });
  });

  test('is refused where there is no such mode, with the nearest name', async () => {
    await expect(tick({ pass: 'reconcile', mode: 'nigth' })).rejects.toThrow(
      /"nigth" is no mode of a run\. Did you mean night\? .*Correct the schedule’s input/,
    );
  });
});
