import { runCommandLine } from './commands/run-command.ts';
import { createTerminal } from './terminal/terminal.ts';

/** After a signal, the batch in hand ends or is abandoned within this time. */
const GRACE_MS = 5000;
const INTERRUPTED = 130;

const words = process.argv.slice(2);
const terminal = createTerminal({
  json: words.includes('--json'),
  output: process.stdout,
  errors: process.stderr,
  now: () => Date.now(),
});

const interruption = new AbortController();
const interrupt = () => {
  if (interruption.signal.aborted) process.exit(INTERRUPTED);
  terminal.note('Stopping: the batch in hand ends or is given back. Nothing is lost.');
  interruption.abort();
  setTimeout(() => process.exit(INTERRUPTED), GRACE_MS).unref();
};
process.on('SIGINT', interrupt);
process.on('SIGTERM', interrupt);
process.stdout.on('error', error => {
  // A reader such as `head` that closed the pipe has seen enough.
  if ('code' in error && error.code === 'EPIPE') process.exit(0);
  throw error;
});

void runCommandLine(words, terminal, interruption.signal).then(code =>
  process.stdout.write('', () => process.exit(interruption.signal.aborted ? INTERRUPTED : code)),
);
