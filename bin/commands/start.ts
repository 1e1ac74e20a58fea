import { readFile } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import { formatCount } from '../../lib/core/run-end.ts';
import { searchAsOperator } from '../../lib/wiring/open-search.ts';
import { createSample } from '../../lib/wiring/prepare.ts';
import { type Workspace, withWorkspace } from '../../lib/wiring/workspace.ts';
import { formatHits } from '../terminal/formats.ts';
import { reportRun } from '../terminal/reports.ts';
import type { Terminal } from '../terminal/terminal.ts';
import type { CommandBody } from './command.ts';
import { runRequest, runWithProgress } from './run.ts';
import type { HereCommand } from './table.ts';

/** Searches of the bundled sample whose first hits share hardly a word with them. */
const SAMPLE_SEARCHES = [
  'a feeling of great joy',
  'someone who steals things',
  'paying back what you owe',
] as const;

const HITS = 5;

export const startCommand: CommandBody<HereCommand<'start'>> = {
  async run(context) {
    const { terminal, signal } = context;
    return withWorkspace(runRequest(context), async workspace => {
      terminal.line(`Freshet · ${workspace.file} · ${describePlace(workspace)}`);
      const created = await createSample(workspace);
      if (created > 0)
        terminal.line(`Created public.ai_items with ${formatCount(created)} entries of WordNet.`);
      const code = reportRun(await runWithProgress(workspace, context), terminal);
      if (terminal.json || signal.aborted || ![0, 3].includes(code)) return code;
      if (workspace.demo) await showSearches(workspace, terminal);
      await showSwitch(workspace, terminal);
      return code;
    });
  },
};

function describePlace({ place, directory }: Workspace): string {
  return place.kind === 'embedded'
    ? `embedded PostgreSQL in ${relative(directory, place.directory)}`
    : `PostgreSQL of ${place.givenBy}`;
}

async function showSearches(workspace: Workspace, terminal: Terminal): Promise<void> {
  for (const text of SAMPLE_SEARCHES) {
    terminal.line();
    terminal.line(`search "${text}"`);
    const found = await searchAsOperator(workspace, { query: text, limit: HITS });
    for (const line of formatHits(found)) terminal.line(line);
  }
}

/** What the models without a network of neurons lack, and what a person gets from another one. */
const SIMPLE_MODELS: Readonly<Record<string, string>> = {
  static: 'knows English words, not sentences. For whole sentences and other languages',
  hash: 'finds similar wording, not meaning. For meaning',
};

/**
 * Shows which line to change for a model that knows more.
 * Nothing is shown where the configuration has such a model already.
 */
async function showSwitch({ config, file }: Workspace, terminal: Terminal): Promise<void> {
  const simple = config.sources.map(source => source.models[0]).find(model => model && SIMPLE_MODELS[model]);
  if (simple === undefined) return;
  const lines = (await readFile(resolve(file), 'utf8')).split('\n');
  const place = lines.findIndex(line => new RegExp(`^\\s*model:\\s*['"]${simple}['"]`).test(line));
  const where = place === -1 ? file : `${file}:${place + 1}`;
  terminal.line();
  terminal.line(`The model '${simple}' ${SIMPLE_MODELS[simple]}, change one line, ${where}:`);
  terminal.line(`  model: 'openai',   and export OPENAI_API_KEY=…   (text-embedding-3-small)`);
  terminal.line(`  model: 'ollama',   after: ollama pull nomic-embed-text   (no key, on this machine)`);
}
