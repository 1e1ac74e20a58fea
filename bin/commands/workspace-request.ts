import type { WorkspaceRequest } from '../../lib/wiring/workspace.ts';
import type { CommandContext, workspaceFlags } from './command.ts';

/** The workspace that a command's flags ask for. */
export function workspaceRequest(
  { flags, signal }: Pick<CommandContext<typeof workspaceFlags>, 'flags' | 'signal'>,
  options: { readonly create: boolean } = { create: false },
): WorkspaceRequest & Pick<CommandContext, 'signal'> {
  return {
    config: flags.config,
    databaseUrl: flags['database-url'],
    directory: process.cwd(),
    create: options.create,
    signal,
  };
}
