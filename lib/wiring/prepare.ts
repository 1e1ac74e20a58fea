import { readFile } from 'node:fs/promises';
import { findOwnFile } from '../adapters/own-files.ts';
import { ensureSpaces, type PreparationOptions } from '../adapters/sql/ensure-spaces.ts';
import { migrate } from '../adapters/sql/migrations/migrate.ts';
import { createSampleTable } from '../adapters/sql/sample-store.ts';
import { SAMPLE_ITEMS_FILE } from '../core/config/deployment-settings.ts';
import type { Space } from '../core/model.ts';
import type { SampleItem } from '../ports/report-store.ts';
import type { Workspace } from './workspace.ts';

/**
 * Brings schema `freshet` to this version's state and creates the tables of new spaces.
 * Nothing changes where nothing is missing. `adopt` also takes over tables that the application
 * swapped; `onReplaced` is told of sources whose searches find less from then on. `spaces` are
 * those of the configuration, in its order.
 */
export async function prepareDatabase(
  workspace: Workspace,
  options: PreparationOptions = {},
): Promise<{
  readonly migrated: { from: number; to: number; applied: string[] };
  readonly spaces: readonly Space[];
}> {
  const migrated = await migrate(workspace.database);
  const spaces = await ensureSpaces(workspace.database, workspace.config, options);
  return { migrated, spaces };
}

/** Reads the bundled entries of WordNet, in the order of the file. */
export async function readSampleItems(file: string): Promise<SampleItem[]> {
  const entries: [string, string, string[]][] = JSON.parse(await readFile(file, 'utf8'));
  return entries.map(([title, summary, tags]) => ({ title, summary, tags }));
}

/**
 * Creates `public.ai_items` with the bundled sample, and resolves with the rows created.
 * Nothing is created unless the demo runs on the embedded database.
 */
export async function createSample(workspace: Workspace): Promise<number> {
  if (!workspace.demo || workspace.place.kind !== 'embedded') return 0;
  const items = await readSampleItems(findOwnFile(`examples/demo/${SAMPLE_ITEMS_FILE}`));
  return (await createSampleTable(workspace.database.kysely, items)) ? items.length : 0;
}
