import { join } from 'node:path';
import { createSampleTable } from '../adapters/sql/console/create-sample-table.ts';
import type { Workspace } from './open-workspace.ts';
import { readSampleItems } from './read-sample-items.ts';

const sampleFile = join(import.meta.dirname, '../../examples/demo/ai-items.data.json');

/**
 * Creates `public.ai_items` with the bundled sample, and resolves with the rows created.
 * Nothing is created unless the demo runs on the embedded database.
 */
export async function createSample(workspace: Workspace): Promise<number> {
  if (!workspace.demo || workspace.place.kind !== 'embedded') return 0;
  const items = await readSampleItems(sampleFile);
  return (await createSampleTable(workspace.database.kysely, items)) ? items.length : 0;
}
