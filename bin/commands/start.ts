import { readFile } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import { searchByText } from '../../lib/wiring/local-requests.ts';
import { createSample } from '../../lib/wiring/prepare.ts';
import { type Workspace, withWorkspace } from '../../lib/wiring/workspace.ts';
import { formatCount, formatHits } from '../terminal/formats.ts';
import { reportRun } from '../terminal/reports.ts';
import type { Terminal } from '../terminal/terminal.ts';
import type { CommandBody } from './command.ts';
import { runRequest, runWithProgress } from './run.ts';
import type { HereCommand } from './table.ts';

/**
 * Searches of the bundled sample that share words with the glosses they find.
 * Feature hashing sees nothing but words.
 */
const SAMPLE_SEARCHES = [
  'a large body of water',
  'feeling of great joy and happiness',
  'official document giving permission',
] as const;

const HITS = 3;

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
    const found = await searchByText(workspace, { text, limit: HITS });
    for (const line of formatHits(found)) terminal.line(line);
  }
}

/**
 * Shows which line to change for a model that knows meaning.
 * Nothing is shown where the configuration has such a model already.
 */
async function showSwitch({ config, file }: Workspace, terminal: Terminal): Promise<void> {
  if (!config.sources.some(source => source.models[0] === 'hash')) return;
  const lines = (await readFile(resolve(file), 'utf8')).split('\n');
  const place = lines.findIndex(line => /^\s*model:\s*['"]hash['"]/.test(line));
  const where = place === -1 ? file : `${file}:${place + 1}`;
  terminal.line();
  terminal.line(
    `The model 'hash' finds similar wording, not meaning. For meaning, change one line, ${where}:`,
  );
  terminal.line(`  model: 'openai',   and export OPENAI_API_KEY=…   (text-embedding-3-small)`);
  terminal.line(`  model: 'ollama',   after: ollama pull nomic-embed-text   (no key, on this machine)`);
}
