import { createInterface } from 'node:readline/promises';
import { UsageError } from '../../lib/core/errors.ts';
import { formatBytes, formatDuration, formatUsd } from '../../lib/core/quantities.ts';
import { formatCount } from '../../lib/core/run-end.ts';
import { escapeControls } from './formats.ts';

/**
 * Where a command writes, a line at a time.
 * What a terminal would obey is escaped in every line, whoever the text came from: no text can
 * move the cursor, begin a line of its own or change the order that a reader sees.
 * With `--json` standard output carries one object and nothing else, and what people read goes to
 * standard error.
 */
export interface Terminal {
  readonly json: boolean;
  /** Whether a person looks on, as far as can be told. */
  readonly isWatched: boolean;
  /** A line of the result, for people. */
  line(text?: string): void;
  /** A line beside the result: advice, notices. Always on standard error. */
  note(text: string): void;
  /** Replaces the live line on a terminal; elsewhere writes a line, at most one in `everyMs`. */
  progress(text: string, everyMs: number): void;
  /** Leaves the live line standing, so that the next line starts below it. */
  endProgress(): void;
  /** The one object on standard output, its texts as they are; nothing without `--json`. */
  result(object: object): void;
}

interface Stream {
  write(text: string): boolean;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

const REDRAW_MS = 100;

export function createTerminal(options: {
  readonly json: boolean;
  readonly output: Stream;
  readonly errors: Stream;
  readonly now: () => number;
}): Terminal {
  const { json, output, errors } = options;
  const live = errors.isTTY === true;
  let liveLine = false;
  let unseen: string | undefined;
  let lastProgressAt = Number.NEGATIVE_INFINITY;
  const rewrite = (text: string) => errors.write(`\r\u001b[2K${text.slice(0, (errors.columns || 80) - 1)}`);
  const endProgress = () => {
    if (unseen !== undefined) rewrite(unseen);
    if (liveLine) errors.write('\n');
    unseen = undefined;
    liveLine = false;
  };
  return {
    json,
    isWatched: live,
    line: (text = '') => {
      endProgress();
      (json ? errors : output).write(`${escapeControls(text)}\n`);
    },
    note: text => {
      endProgress();
      errors.write(`${escapeControls(text)}\n`);
    },
    progress: (foreign, everyMs) => {
      const text = escapeControls(foreign);
      const tooSoon = options.now() - lastProgressAt < (live ? REDRAW_MS : everyMs);
      unseen = live && tooSoon ? text : undefined;
      if (tooSoon) return;
      lastProgressAt = options.now();
      liveLine = live;
      if (live) rewrite(text);
      else errors.write(`${text}\n`);
    },
    endProgress,
    result: object => {
      if (json) output.write(`${JSON.stringify(object)}\n`);
    },
  };
}

interface Progress {
  readonly items: number;
  readonly tokens: number;
  readonly costUsd: number;
}

const WINDOW_MS = 10_000;

/**
 * Describes items, rate and time left.
 * The rate is that of the last ten seconds, so that a pause shows.
 */
export function createProgressMeter(
  expectedItems: () => number | undefined,
  now: () => number,
): (progress: Progress) => string {
  const startedAt = now();
  const samples: { at: number; items: number }[] = [{ at: startedAt, items: 0 }];
  return progress => {
    const at = now();
    samples.push({ at, items: progress.items });
    while (samples.length > 2 && samples[1]!.at < at - WINDOW_MS) samples.shift();
    const oldest = samples[0]!;
    const perSecond = at > oldest.at ? ((progress.items - oldest.items) * 1000) / (at - oldest.at) : 0;
    const expected = expectedItems();
    const total = Math.max(expected ?? 0, progress.items);
    const isKnown = expected !== undefined && perSecond > 0;
    const left = isKnown ? formatDuration(((total - progress.items) * 1000) / perSecond) : '–';
    return [
      `${formatCount(progress.items)} of ${expected === undefined ? '?' : formatCount(total)} items`,
      `${perSecond.toFixed(perSecond < 10 ? 1 : 0)}/s`,
      `ETA ${left}`,
      `${formatCount(progress.tokens)} tokens`,
      formatUsd(progress.costUsd),
    ].join(' · ');
  };
}

/** Describes bytes, the rate since the meter was first asked, and the time left. */
export function createByteMeter(now: () => number): (bytes: number, ofBytes: number) => string {
  let startedAt: number | undefined;
  return (bytes, ofBytes) => {
    startedAt ??= now();
    const elapsedMs = now() - startedAt;
    const perSecond = elapsedMs > 0 ? (bytes * 1000) / elapsedMs : 0;
    const left = perSecond > 0 ? formatDuration(((ofBytes - bytes) * 1000) / perSecond) : '–';
    return `${formatBytes(bytes)} of ${formatBytes(ofBytes)} · ${formatBytes(perSecond)}/s · ETA ${left}`;
  };
}

/**
 * Asks a person on the terminal whether to go on, unless the answer is given.
 * @throws UsageError when the person says no, or when nobody can be asked
 */
export async function confirm(question: string, given: boolean): Promise<void> {
  if (given) return;
  if (process.stdin.isTTY !== true)
    throw new UsageError(`${question} There is no terminal to ask on.`, 'Add --yes to go on without asking.');
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await lines.question(`${escapeControls(question)} [y/N] `);
    if (!/^y(es)?$/i.test(answer.trim())) throw new UsageError('Nothing was changed.');
  } finally {
    lines.close();
  }
}
