import { issueOwnToken } from '../../lib/wiring/own-token.ts';
import { type CommandBody, workspaceRequest } from './command.ts';
import type { HereCommand } from './table.ts';

export const tokenCommand: CommandBody<HereCommand<'token'>> = {
  async run(context) {
    const { flags, terminal } = context;
    const token = await issueOwnToken(workspaceRequest(context), {
      tenant: flags.tenant,
      scopes: (flags.scopes ?? 'embed,search,write').split(',').map(scope => scope.trim()),
      expiresInMs: flags['expires-in'] ?? 3_600_000,
    });
    terminal.result({ token });
    terminal.line(token);
    return 0;
  },
};
