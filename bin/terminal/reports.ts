import type { DoctorFinding } from '../../lib/adapters/sql/doctor-sources.ts';
import { adviseFailure, type FailurePlace } from '../../lib/core/advise-failure.ts';
import {
  describeUnexpected,
  FreshetError,
  isSourceFault,
  UnavailableError,
  UsageError,
  withCode,
} from '../../lib/core/errors.ts';
import { formatUsd } from '../../lib/core/quantities.ts';
import { formatCount } from '../../lib/core/run-end.ts';
import { wordEnd } from '../../lib/core/word-end.ts';
import type { RunEnd } from '../../lib/local/run-locally.ts';
import type { PauseReason } from '../../lib/ports/control-store.ts';
import type { SourceFailures, StatusAnswer } from '../../lib/ports/operator.ts';
import { formatRun } from './formats.ts';
import type { Terminal } from './terminal.ts';

/**
 * Says what was wrong and what to do, and returns the exit code.
 * Code 2 is for what the person can mend at the keyboard and for a table that the application
 * changed, 1 for all else.
 */
export function reportError(error: unknown, terminal: Terminal): number {
  const remedy = error instanceof UsageError ? error.remedy : undefined;
  const message = describeError(error);
  terminal.result({ error: remedy === undefined ? { message } : { message, remedy } });
  terminal.endProgress();
  noteLines(`freshet: ${message}`, terminal);
  if (remedy !== undefined) noteLines(`  ${remedy.replaceAll('\n', '\n  ')}`, terminal);
  const isMendable = error instanceof UsageError && !(error instanceof UnavailableError);
  return isMendable || isSourceFault(error) ? 2 : 1;
}

/** Notes a text of ours that can have several lines. */
function noteLines(text: string, terminal: Terminal): void {
  for (const line of text.split('\n')) terminal.note(line);
}

/**
 * Words an error that ended a command for a person, with its code where the words lack it.
 * An error of the operating system names a path or an address of this machine. Of any other error
 * that nobody foresaw, the message may quote a row: its class and its place are all that is told.
 */
function describeError(error: unknown): string {
  if (error instanceof UsageError || isSourceFault(error)) return error.message;
  if (error instanceof FreshetError) return withCode(wordEnd(error.message), error.code);
  if (error instanceof Error && 'syscall' in error) return error.message;
  return describeUnexpected(error);
}

export function withAdvice(groups: readonly SourceFailures[], place: FailurePlace) {
  return groups.map(group => ({ ...group, advice: adviseFailure(group, place) }));
}

/** Prints failed rows by cause, with some of their ids and what to do. */
export function reportFailures(failures: ReturnType<typeof withAdvice>, terminal: Terminal): void {
  if (failures.length === 0) terminal.line('No row failed.');
  for (const failure of failures) {
    const examples = failure.exampleIds.join(', ') + (failure.rows > failure.exampleIds.length ? ', …' : '');
    terminal.line(
      `${failure.source} · ${failure.model}: ${formatCount(failure.rows)} rows, ` +
        `${failure.failureClass} ${failure.code}, last ${failure.lastAt ?? 'unknown'}`,
    );
    terminal.line(`  ids: ${examples}`);
    terminal.line(`  try: ${failure.advice}`);
  }
}

/** Prints what the doctor found, each fault with the statement that mends it. */
export function reportFindings(findings: readonly DoctorFinding[], terminal: Terminal): void {
  for (const finding of findings) {
    terminal.line(`${finding.ok ? 'ok' : finding.severity}  ${finding.check}: ${finding.message}`);
    if (!finding.ok && finding.statement !== undefined)
      for (const line of finding.statement.split('\n')) terminal.line(`    ${line}`);
  }
}

/** Counts the findings with which a run cannot work. */
export function countErrors(findings: readonly DoctorFinding[]): number {
  return findings.filter(({ ok, severity }) => !ok && severity === 'error').length;
}

/** Prints what was bought so far, and what was bought and lost. */
export function reportLedger(ledger: StatusAnswer['ledger'], terminal: Terminal): void {
  terminal.line(
    `so far: ${formatCount(ledger.providerCalls)} provider calls, ${formatCount(ledger.tokens)} ` +
      `tokens, ${formatUsd(ledger.costUsd)}; last update ${ledger.lastUpdate ?? 'never'}`,
  );
  const paidUsd = ledger.costUsd + ledger.paidAndLostCostUsd;
  // A stage of an older version does not say what was necessary.
  if (paidUsd > 0 && ledger.necessaryUsd !== undefined) terminal.line(describePaid(paidUsd, ledger));
  if (ledger.paidAndLostCalls > 0)
    terminal.line(
      `paid and lost: ${formatCount(ledger.paidAndLostCalls)} calls, about ` +
        `${formatUsd(ledger.paidAndLostCostUsd)}`,
    );
}

/** The factor is rounded up to the hundredth: it is 1.00 only where nothing was bought in vain. */
function describePaid(
  paidUsd: number,
  { necessaryUsd }: Pick<StatusAnswer['ledger'], 'necessaryUsd'>,
): string {
  const told = `necessary: ${formatUsd(necessaryUsd)} of ${formatUsd(paidUsd)} paid`;
  if (necessaryUsd <= 0) return told;
  return `${told}, ${(Math.ceil((100 * paidUsd) / necessaryUsd - 1e-6) / 100).toFixed(2)} times as much`;
}

/** Prints what vectors for searches and clients cost, where they cost anything. */
export function reportQueries(queries: StatusAnswer['queries'], terminal: Terminal): void {
  const { providerCalls, tokens, costUsd, costUsdToday } = queries;
  if (providerCalls === 0) return;
  terminal.line(
    `searches and clients: ${formatCount(providerCalls)} provider calls, ${formatCount(tokens)} ` +
      `tokens, ${formatUsd(costUsd)}; today ${formatUsd(costUsdToday)}`,
  );
}

/** Prints a line for each reason that holds something up. */
export function reportPauses(pauses: readonly PauseReason[], terminal: Terminal): void {
  for (const { scope, reason, detail, since } of pauses)
    terminal.line(`paused: ${scope} since ${since}: ${reason}${detail === '' ? '' : ` – ${detail}`}`);
}

/** Prints what a run did and how it ended, and returns its exit code. */
export function reportRun({ result, notices, ending }: RunEnd, terminal: Terminal): number {
  const { error, exitCode, sentences } = ending;
  terminal.result(error === undefined ? result : { ...result, error });
  terminal.line();
  for (const line of formatRun(result)) terminal.line(line);
  for (const notice of notices) noteLines(notice, terminal);
  for (const sentence of sentences)
    noteLines(error === undefined ? sentence : `freshet: ${sentence}`, terminal);
  return exitCode;
}
