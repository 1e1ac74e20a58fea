import { describe, expect, it } from 'vitest';
import { formatColumns, formatLogLine } from '../../../bin/terminal/formats.ts';
import { reportError } from '../../../bin/terminal/reports.ts';
import { createTerminal } from '../../../bin/terminal/terminal.ts';
import { UsageError } from '../../../lib/core/errors.ts';

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

describe('a line of the terminal', () => {
  const hostile = '\u001b]52;c;aGk=\u0007 \u009b2J \u007f \u202eexe.gpj \u2028 \r\n\tfreshet: done';
  const escaped = String.raw`\u001b]52;c;aGk=\u0007 \u009b2J \u007f \u202eexe.gpj \u2028 \u000d\n\tfreshet: done`;

  it('escapes what a terminal obeys, on both streams, beside the result and live', () => {
    const plain = recordTerminal();
    plain.terminal.line(hostile);
    plain.terminal.note(hostile);
    plain.terminal.progress(hostile, 0);
    const live = recordTerminal({ isTTY: true });
    live.terminal.progress('\u001b[2Jx', 0);
    const json = recordTerminal({ json: true });
    json.terminal.line(hostile);

    expect(plain.written.output).toBe(`${escaped}\n`);
    expect(plain.written.errors).toBe(`${escaped}\n${escaped}\n`);
    expect(live.written.errors).toBe(String.raw`${'\r\u001b[2K'}\u001b[2Jx`);
    expect(json.written).toEqual({ output: '', errors: `${escaped}\n` });
  });

  it('keeps the texts of the object as they are', () => {
    const { terminal, written } = recordTerminal({ json: true });

    terminal.result({ text: hostile });

    expect(JSON.parse(written.output)).toEqual({ text: hostile });
  });

  it('leaves letters of every script, joined emoji and escaped text alone', () => {
    const { terminal, written } = recordTerminal();
    const texts = ['Grüße مرحبا שלום नमस्ते 日本語', '👩\u200d👩\u200d👧 ❤\ufe0f', escaped];

    for (const text of texts) terminal.line(text);

    expect(written.output).toBe(texts.map(text => `${text}\n`).join(''));
  });

  it('keeps the lines of an error of ours apart, and lets none begin inside of a foreign text', () => {
    const { terminal, written } = recordTerminal();

    reportError(new UsageError('First.\nSecond.', 'one\ntwo\u001b[2J'), terminal);

    expect(written.errors).toBe(String.raw`freshet: First.
Second.
  one
  two\u001b[2J
`);
  });
});

describe('formatLogLine', () => {
  const formatMessage = (message: string) => formatLogLine({ component: 'embed', atMs: 0, message });

  it('escapes the fields of our records and every line of a foreign one, which it indents', () => {
    expect(formatMessage(JSON.stringify({ level: 'INFO', event: 'x', code: '\u001b[2J\nfake' }))).toEqual([
      String.raw`1970-01-01T00:00:00.000Z embed   INFO  x code=\u001b[2J\nfake`,
    ]);
    expect(formatMessage('Error: a\u001b[2J\n    at b\nfake\n')).toEqual([
      String.raw`1970-01-01T00:00:00.000Z embed   Error: a\u001b[2J`,
      '        at b',
      '    fake',
    ]);
  });
});

describe('formatColumns', () => {
  it('measures what it shows: escaped headings and cells stay aligned', () => {
    expect(formatColumns(['a\u001b', 'b'], [['\u202e', 'x']])).toEqual([
      String.raw`a\u001b  b`,
      '-------  -',
      String.raw`\u202e   x`,
    ]);
  });
});
