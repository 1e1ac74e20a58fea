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
      onListening: ({ url, models, asksForTokens }) => {
        terminal.result({ url, models });
        terminal.line(`Listening on ${url} · models: ${models.join(', ')}`);
        terminal.line(`Try: ${describeTrial(url, models[0]!, asksForTokens)}`);
      },
    });
    return 0;
  },
};

/**
 * The line that asks for a vector from this machine.
 * A service that listens on all addresses answers for none that stands for all.
 */
function describeTrial(url: string, model: string, asksForTokens: boolean): string {
  const here = url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:');
  const token = asksForTokens ? ' -H "authorization: Bearer $TOKEN"' : '';
  const body = JSON.stringify({ model, texts: ['a small animal'], input_type: 'query' });
  return `curl '${here}/v1/embed' -H 'content-type: application/json'${token} -d '${body}'`;
}
