import { expect, test } from 'vitest';
import { runUntilFresh } from '../../lib/local/run-until-fresh.ts';
import type { EmbedPorts } from '../../lib/pipeline/embed/embed-ports.ts';
import { createRateLimitedServer } from '../doubles/rate-limited-server.ts';
import { createScriptedProvider } from '../doubles/scripted-provider.ts';
import { findStaleRows, putRow } from '../factories/logged-twin.ts';
import { makeSpace } from '../factories/space.ts';
import { knowAsFast, makeWorld } from '../factories/world.ts';
import { sourceOf } from '../twin/twin-database.ts';
import { toLocalRunPorts } from './run-world.ts';

const ROWS = 3_000;
const BATCH = 10;
const EDITS = 20;
/** One call in three seconds, of which five wait: a call waits for fifteen. */
const LIMITS = { requestsPerMinute: 20, tokensPerMinute: 1e9 };

/** A local run on a backfill that its rate holds up; rows of calls that wait are edited meanwhile. */
async function editHeldRows() {
  const space = makeSpace({ model: { limits: { requestsPerMinute: LIMITS.requestsPerMinute } } });
  const world = makeWorld([space], BATCH);
  for (let row = 0; row < ROWS; row += 1) {
    const id = String(row).padStart(5, '0');
    putRow(world.twin, space, id, `row ${id}`);
  }
  const { rows } = sourceOf(world.twin, space);
  for (const row of rows.values()) rows.set(row.id, { ...row, version: world.twin.now() - 1e12 });
  knowAsFast(world);
  const server = createRateLimitedServer(world.clock, LIMITS);
  const sent = new Map<string, number>();
  const provider = createScriptedProvider(request => {
    for (const text of request.texts) sent.set(text, (sent.get(text) ?? 0) + 1);
    return server.embed(request);
  });
  let lastBegun: readonly string[] = [];
  const embedding: EmbedPorts['embedding'] = {
    ...world.embedPorts.embedding,
    async beginEmbedding(...begun) {
      const taken = await world.embedPorts.embedding.beginEmbedding(...begun);
      lastBegun = taken.filter(id => !id.startsWith('9'));
      return taken;
    },
  };
  const embedPorts = { ...world.embedPorts, runId: 1, providers: () => provider, embedding };
  const stop = new AbortController();
  const staleAfterMs: number[] = [];
  const edit = async () => {
    for (let number = 0; number < EDITS; number += 1) {
      await world.clock.sleep(7_300);
      const id = lastBegun.find(begun => !sent.has(`row ${begun}`)) ?? '';
      putRow(world.twin, space, id, `edit ${id}`);
      const editedMs = world.clock.now();
      while (findStaleRows(world.twin, space).some(row => row.id === id)) await world.clock.sleep(100);
      staleAfterMs.push(world.clock.now() - editedMs);
    }
    stop.abort();
  };
  const limits = { batchSize: BATCH, concurrency: 5 };
  await Promise.all([
    runUntilFresh(toLocalRunPorts({ ...world, embedPorts }, limits, { signal: stop.signal })),
    edit(),
  ]);
  return { sorted: staleAfterMs.toSorted((a, b) => a - b), sent };
}

test('an edit of a row whose call waits for the rate goes first, and what it replaces is not bought', async () => {
  const { sorted, sent } = await editHeldRows();

  expect(sorted).toHaveLength(EDITS);
  expect(sorted[EDITS / 2]).toBeLessThanOrEqual(5_000);
  expect(sorted[EDITS - 1]).toBeLessThanOrEqual(10_000);
  expect([...sent].filter(([, times]) => times > 1)).toEqual([]);
  const edited = [...sent.keys()].filter(text => text.startsWith('edit ')).map(text => text.slice(5));
  expect(edited).toHaveLength(EDITS);
  expect(edited.filter(id => sent.has(`row ${id}`))).toEqual([]);
});
