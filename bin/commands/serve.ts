import { serveLocally } from '../../lib/local/serve-locally.ts';
import { type CommandBody, workspaceRequest } from './command.ts';
import type { HereCommand } from './table.ts';

export const serveCommand: CommandBody<HereCommand<'serve'>> = {
  async run(context) {
    const { flags, terminal, signal } = context;
    await serveLocally({
      ...workspaceRequest(context),
      host: flags.host,
      port: flags.port,
      signal,
      writeLog: line => terminal.note(line),
      onListening: ({ url, models }) => {
        terminal.result({ url, models });
        terminal.line(`Listening on ${url} · models: ${models.join(', ')}`);
        terminal.line(
          `Try: curl ${url}/v1/embed -H 'content-type: application/json' -d '${trial(models[0]!)}'`,
        );
      },
    });
    return 0;
  },
};

function trial(model: string): string {
  return JSON.stringify({ model, texts: ['a small animal'], input_type: 'query' });
}
