import { FreshetError, UsageError } from '../../lib/core/errors.ts';
import type { Terminal } from './terminal.ts';

/** Says what was wrong and what to do, and resolves to the exit code: 2 for what the person can mend at the keyboard, else 1. */
export function reportError(error: unknown, terminal: Terminal): number {
  const remedy = error instanceof UsageError ? error.remedy : undefined;
  const message = describeError(error);
  terminal.result({ error: remedy === undefined ? { message } : { message, remedy } });
  terminal.endProgress();
  terminal.note(`freshet: ${message}`);
  if (remedy !== undefined) terminal.note(`  ${remedy.replaceAll('\n', '\n  ')}`);
  return error instanceof UsageError ? 2 : 1;
}

function describeError(error: unknown): string {
  if (error instanceof UsageError) return error.message;
  if (error instanceof FreshetError) return `${error.message} (${error.failureClass} ${error.code})`;
  if (error instanceof Error) return `unexpected ${error.stack ?? `${error.name}: ${error.message}`}`;
  return `unexpected ${String(error)}`;
}
