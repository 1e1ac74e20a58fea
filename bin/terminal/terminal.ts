/**
 * Where a command writes. With `--json` standard output carries one object and nothing else, and what people read goes to standard error.
 */
export interface Terminal {
  readonly json: boolean;
  /** A line of the result, for people. */
  line(text?: string): void;
  /** A line beside the result: advice, notices. Always on standard error. */
  note(text: string): void;
  /** Replaces the live line on a terminal; elsewhere writes a line, at most one in `everyMs`. */
  progress(text: string, everyMs: number): void;
  /** Leaves the live line standing, so that the next line starts below it. */
  endProgress(): void;
  /** The one object on standard output; nothing without `--json`. */
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
    line: (text = '') => {
      endProgress();
      (json ? errors : output).write(`${text}\n`);
    },
    note: text => {
      endProgress();
      errors.write(`${text}\n`);
    },
    progress: (text, everyMs) => {
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
