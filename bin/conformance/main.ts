import { UsageError } from '../../lib/core/errors.ts';
import { checkServiceUrl } from '../../lib/wiring/providers.ts';
import { readEnvironment } from '../../lib/wiring/workspace.ts';
import { durationFlag, readFlags, switchFlag, textFlag } from '../terminal/flags.ts';
import { formatColumns } from '../terminal/formats.ts';
import { reportError } from '../terminal/reports.ts';
import { createTerminal, type Terminal } from '../terminal/terminal.ts';
import { runChecks } from './checks.ts';
import { openService } from './service.ts';

const FLAGS = {
  model: textFlag('NAME', 'model to ask for, as the service names it'),
  timeout: durationFlag('TIME', 'longest call (60s)'),
  json: switchFlag('one JSON object on standard output'),
  help: switchFlag('this text'),
} as const;

const HELP = `npm run conformance -- https://host --model NAME [--timeout 60s] [--json]

Checks a service against docs/contracts/embed-v1.yaml. Its bearer token is read from FRESHET_HTTP_TOKEN.
Ends with 0 when every check passed, 1 when one failed, 2 for a wrong call.`;

/** Resolves with the exit code. */
async function main(words: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals } = readFlags(words, FLAGS);
  if (values.help) {
    for (const line of HELP.split('\n')) terminal.line(line);
    return 0;
  }
  const [given, ...others] = positionals;
  if (given === undefined || others.length > 0 || values.model === undefined)
    throw new UsageError('conformance needs the URL of one service and the name of a model.', HELP);
  const url = checkServiceUrl(given);
  const service = openService({
    url,
    model: values.model,
    token: readEnvironment().providerKeys.http ?? '',
    timeoutMs: values.timeout ?? 60_000,
  });
  const checks = await runChecks(service);
  const failed = checks.filter(({ result }) => result === 'failed').length;
  const passed = checks.filter(({ result }) => result === 'passed').length;
  terminal.result({ url, model: values.model, passed, failed, checks });
  const rows = checks.map(({ name, result, detail }) => [result, name, detail]);
  for (const line of formatColumns(['Result', 'Check', 'Detail'], rows)) terminal.line(line);
  terminal.line();
  terminal.line(`${passed} passed, ${failed} failed, ${checks.length - passed - failed} skipped.`);
  return failed === 0 ? 0 : 1;
}

const words = process.argv.slice(2);
const terminal = createTerminal({
  json: words.includes('--json'),
  output: process.stdout,
  errors: process.stderr,
  now: () => Date.now(),
});
process.exitCode = await main(words, terminal).catch((error: unknown) => reportError(error, terminal));
