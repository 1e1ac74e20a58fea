import { describe, expect, it } from 'vitest';
import { createTerminal } from '../../../bin/terminal/terminal.ts';

function recordTerminal(options: { json?: boolean; isTTY?: boolean } = {}) {
  const written = { output: '', errors: '' };
  const clock = { now: 0 };
  const recordTo = (stream: keyof typeof written) => ({
    write: (text: string) => {
      written[stream] += text;
      return true;
    },
  });
  const terminal = createTerminal({
    json: options.json ?? false,
    output: recordTo('output'),
    errors: { ...recordTo('errors'), isTTY: options.isTTY ?? false, columns: 40 },
    now: () => clock.now,
  });
  return { terminal, written, clock };
}

describe('terminal', () => {
  it('keeps standard output for the one object under --json', () => {
    const { terminal, written } = recordTerminal({ json: true });

    terminal.line('for people');
    terminal.note('beside');
    terminal.progress('1 of 2', 10_000);
    terminal.result({ ok: true });

    expect(written.output).toBe('{"ok":true}\n');
    expect(written.errors).toBe('for people\nbeside\n1 of 2\n');
  });

  it('writes a progress line once per interval where the line cannot be rewritten', () => {
    const { terminal, written, clock } = recordTerminal();

    for (clock.now = 0; clock.now <= 20_000; clock.now += 1000) terminal.progress(`at ${clock.now}`, 10_000);

    expect(written.errors).toBe('at 0\nat 10000\nat 20000\n');
  });

  it('rewrites one line of the terminal, ten times a second at most, and starts the next text below its last state', () => {
    const { terminal, written, clock } = recordTerminal({ isTTY: true });

    terminal.progress('1 of 3', 10_000);
    clock.now = 50;
    terminal.progress('2 of 3', 10_000);
    clock.now = 60;
    terminal.progress('x'.repeat(100), 10_000);
    terminal.line('report');

    expect(written.errors).toBe(`\r\u001b[2K1 of 3\r\u001b[2K${'x'.repeat(39)}\n`);
    expect(written.output).toBe('report\n');
  });
});
