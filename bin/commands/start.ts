import { readFile } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import { searchByText } from '../../lib/wiring/local-requests.ts';
import { createSample } from '../../lib/wiring/prepare.ts';
import { requireProviderAccess } from '../../lib/wiring/providers.ts';
import { type Workspace, withWorkspace } from '../../lib/wiring/workspace.ts';
import { formatHits } from '../terminal/format-hits.ts';
import { formatCount } from '../terminal/format-numbers.ts';
import { reportRun } from '../terminal/report-run.ts';
import { sampleSearches } from '../terminal/sample-searches.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { defineCommand, runFlags } from './command.ts';
import { limitsOf } from './run-options.ts';
import { runWithProgress } from './run-with-progress.ts';
import { workspaceRequest } from './workspace-request.ts';

const HITS = 3;

export const command = defineCommand({
  summary: 'creates the sample if it is missing, runs, reports and searches',
  flags: runFlags,
  async run(context) {
    const { terminal, signal } = context;
    const request = {
      ...workspaceRequest(context, { create: true }),
      limits: limitsOf(context.flags),
      before: requireProviderAccess,
    };
    return withWorkspace(request, async workspace => {
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
});

function describePlace({ place, directory }: Workspace): string {
  return place.kind === 'embedded'
    ? `embedded PostgreSQL in ${relative(directory, place.directory)}`
    : `PostgreSQL of ${place.givenBy}`;
}

async function showSearches(workspace: Workspace, terminal: Terminal): Promise<void> {
  for (const text of sampleSearches) {
    terminal.line();
    terminal.line(`search "${text}"`);
    const found = await searchByText(workspace, { text, limit: HITS });
    for (const line of formatHits(found)) terminal.line(line);
  }
}

/** Which line to change for a model that knows meaning; nothing when the configuration has one already. */
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
