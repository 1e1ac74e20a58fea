import { describe, expect, it } from 'vitest';
import { placeFlags } from '../../../bin/commands/command.ts';
import { commandTable } from '../../../bin/commands/table.ts';
import { readFlags } from '../../../bin/terminal/flags.ts';
import { UsageError } from '../../../lib/core/errors.ts';

const runFlags = { ...commandTable.start.flags, ...placeFlags.here };

function messageOf(words: string[]): string {
  try {
    readFlags(words, runFlags);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  return '';
}

describe('readFlags', () => {
  it('reads values, switches and what stands between them', () => {
    const read = readFlags(['--batch-size', '20', 'text', '--json', '--max-wait=2m'], runFlags);

    expect(read.values).toEqual({ 'batch-size': 20, json: true, 'max-wait': 120_000 });
    expect(read.positionals).toEqual(['text']);
  });

  it('takes -h for --help', () => {
    expect(readFlags(['-h'], runFlags).values).toEqual({ help: true });
  });

  it.each([
    [['--bach-size', '3'], '--bach-size is not a flag of this command. Did you mean --batch-size?'],
    [['-x'], '-x is not a flag of this command.'],
    [['--batch-size', '0'], '--batch-size "0": expected a whole number from 1 to 2048.'],
    [['--batch-size', '-5'], '--batch-size "-5": expected a whole number from 1 to 2048.'],
    [['--batch-size', '1e2'], '--batch-size "1e2": expected a whole number from 1 to 2048.'],
    [['--batch-size', ''], '--batch-size "": expected a whole number from 1 to 2048.'],
    [['--batch-size'], '--batch-size needs a value: --batch-size N.'],
    [['--config', '--json'], '--config needs a value: --config FILE.'],
    [['--json=no'], '--json takes no value, got "no".'],
    [['--max-wait', 'soon'], '--max-wait "soon": expected a duration such as 90s, 5m or 1h.'],
    [['--max-wait', '0'], '--max-wait "0": expected a duration such as 90s, 5m or 1h.'],
  ])('refuses %j', (words, message) => {
    expect(messageOf(words)).toBe(message);
  });

  it.each([
    ['90', 90_000],
    ['250ms', 250],
    ['90s', 90_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
  ])('reads the duration %s', (text, ms) => {
    expect(readFlags(['--max-wait', text], runFlags).values['max-wait']).toBe(ms);
  });
});
