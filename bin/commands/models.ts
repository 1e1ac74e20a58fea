import { listModels } from '../../lib/core/config/models.ts';
import { UsageError } from '../../lib/core/errors.ts';
import { type CheckedModel, checkModels } from '../../lib/wiring/models.ts';
import { requireProviderAccess } from '../../lib/wiring/providers.ts';
import { loadConfig, withWorkspace } from '../../lib/wiring/workspace.ts';
import { formatChecks, formatModels } from '../terminal/format-models.ts';
import { type CommandContext, defineCommand, workspaceFlags } from './command.ts';
import { publish, publishFlags } from './models-publish.ts';
import { workspaceRequest } from './workspace-request.ts';

const flags = { ...workspaceFlags, ...publishFlags };

type Context = CommandContext<typeof flags>;

export const command = defineCommand({
  summary:
    'lists the models; check calls those of the sources and compares their vectors; publish uploads weights for the GPU endpoint',
  argument: '[check | publish]',
  flags,
  run(context) {
    const [word, ...others] = context.positionals;
    if (word === 'publish' && others.length === 0) return publish(context);
    for (const flag of Object.keys(publishFlags))
      if (flag in context.flags) throw new UsageError(`--${flag} is for models publish alone.`);
    if (word === undefined) return list(context);
    if (word === 'check' && others.length === 0) return check(context);
    throw new UsageError(
      `models takes no argument, check or publish, got ${JSON.stringify(context.positionals.join(' '))}.`,
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
