import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { prepareText } from '../../../lib/core/text.ts';

const textColumns = ['title', 'summary', 'tags'].map(name => ({ name, isArray: name === 'tags' }));
const anyText = fc.string({
  unit: fc.oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    fc.constantFrom('\ud83d', '\ude00', '\0', ' ', '\n', '{title}'),
  ),
});

describe('prepareText', () => {
  it('joins the columns that hold something with newlines', () => {
    expect(prepareText(['Title', null, 'a, b'], { textColumns })).toBe('Title\na, b');
    expect(prepareText([' \t', 'Summary ', '\0'], { textColumns })).toBe('Summary');
  });

  it('is empty when nothing is left', () => {
    expect(prepareText([null, ' \n', '\0 \0'], { textColumns })).toBe('');
  });

  it('fills a template', () => {
    const template = '{title} ({tags}): {summary}';

    expect(prepareText(['T', 'S', 'a, b'], { textColumns, template })).toBe('T (a, b): S');
    expect(prepareText(['T', null, null], { textColumns, template })).toBe('T ():');
  });

  it('is empty when no column of the template holds anything', () => {
    expect(prepareText([null, 'S', ' '], { textColumns, template: 'Title: {title}{tags}' })).toBe('');
  });

  it('is empty where no column has a character that shows: white space, ignorable and blank ones', () => {
    const blanks = [
      ...['\u200b', '\u2800', '\ufeff', '\u00ad', '\u034f', '\u115f', '\u3164', '\uffa0', '\u2065', '\u180e'],
      ...['\u200d\ufe0f', '\u202e\u2069', '\u0001\u007f\u0085', '\ufff9\ufffb', '\u{e0001}\u{e007f}'],
      ...['\u{1d159}', '\u{1d173}', '\u{16fe4}', '\u{13441}', '\u{e01ef}', '\u2028 \u3000\u200b\u2800'],
    ];

    for (const blank of blanks) {
      expect(prepareText([blank, null, '\u200b'], { textColumns }), JSON.stringify(blank)).toBe('');
      expect(prepareText([blank, 'S', null], { textColumns, template: 'Title: {title}' })).toBe('');
    }
  });

  it('keeps every character of a text that shows anything, blank columns included', () => {
    for (const text of [
      'a\u200b',
      '\u2800a',
      '👩\u200d👧',
      '\u0301',
      'न\u200dम',
      '\ufffd',
      '\ue000',
      '\ufffc',
      '.',
    ])
      expect(prepareText([text, null, null], { textColumns })).toBe(text);
    expect(prepareText(['T', '\u200b', null], { textColumns })).toBe('T\n\u200b');
    expect(prepareText(['\u200b', 'S', null], { textColumns, template: '{title}: {summary}' })).toBe(
      '\u200b: S',
    );
  });

  it('takes values as they are, braces and dollar signs included', () => {
    expect(
      prepareText(['{summary} $& $1', 'S', null], { textColumns, template: '{title} | {unknown}' }),
    ).toBe('{summary} $& $1 | {unknown}');
  });

  it('makes lone surrogates and NUL harmless', () => {
    expect(prepareText(['a\ud83d', '\ude00b', 'c\0d'], { textColumns })).toBe('a\ufffd\n\ufffdb\ncd');
  });

  it('is well-formed, trimmed, without NUL, and unchanged by a second time, whatever the columns hold', () => {
    fc.assert(
      fc.property(
        fc.tuple(fc.option(anyText), fc.option(anyText), fc.option(anyText)),
        fc.option(fc.constantFrom('{title}\ud83d{tags}', ' {summary} {title}', '{title}'), {
          nil: undefined,
        }),
        (columns, template) => {
          const text = prepareText(columns, { textColumns, template });

          expect(text.isWellFormed()).toBe(true);
          expect(text).not.toContain('\0');
          expect(text).toBe(text.trim());
          expect(prepareText([text], { textColumns: [{ name: 'title', isArray: false }] })).toBe(text);
        },
      ),
    );
  });
});
