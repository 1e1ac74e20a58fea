import { listModels } from '../../lib/core/config/list-models.ts';
import { UsageError } from '../../lib/core/errors/usage-error.ts';
import { type CheckedModel, checkModels } from '../../lib/wiring/check-models.ts';
import { loadConfig } from '../../lib/wiring/load-config.ts';
import { withWorkspace } from '../../lib/wiring/open-workspace.ts';
import { requireProviderAccess } from '../../lib/wiring/require-provider-access.ts';
import { formatChecks, formatModels } from '../terminal/format-models.ts';
import { type CommandContext, defineCommand, workspaceFlags } from './command.ts';
import { workspaceRequest } from './workspace-request.ts';

type Context = CommandContext<typeof workspaceFlags>;

export const command = defineCommand({
  summary: 'lists the models; check calls those of the sources and compares their vectors',
  argument: '[check]',
  flags: workspaceFlags,
  run(context) {
    const [word, ...others] = context.positionals;
    if (word === undefined) return list(context);
    if (word === 'check' && others.length === 0) return check(context);
    throw new UsageError(
      `models takes no argument or check, got ${JSON.stringify(context.positionals.join(' '))}.`,
      'npm run freshet -- models check',
    );
  },
});

async function list({ flags, terminal }: Context): Promise<number> {
  const { config } = await loadConfig(flags.config, process.cwd());
  const models = listModels(config);
  terminal.result({ models });
  for (const line of formatModels(models)) terminal.line(line);
  return 0;
}

async function check(context: Context): Promise<number> {
  const { terminal } = context;
  const request = { ...workspaceRequest(context, { create: true }), before: requireProviderAccess };
  return withWorkspace(request, async workspace => {
    const checks = await checkModels(workspace);
    const problems = checks.flatMap(({ problem }) => problem ?? []);
    terminal.result({ ok: problems.length === 0, models: checks });
    for (const line of formatChecks(checks)) terminal.line(line);
    return exitCodeOf(problems);
  });
}

/** 2 where a line of the configuration mends it, 1 where only the provider can. */
function exitCodeOf(problems: readonly NonNullable<CheckedModel['problem']>[]): number {
  if (problems.length === 0) return 0;
  return problems.every(({ line }) => line !== undefined) ? 2 : 1;
}
