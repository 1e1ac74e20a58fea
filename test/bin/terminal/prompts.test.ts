import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { openPrompts } from '../../../bin/terminal/prompts.ts';

const ENTER = '\r';
const DOWN = '\u001b[B';
const SPACE = ' ';
const CTRL_C = '\u0003';

/** Types the keys one after another, as a person would, and keeps what is shown. */
async function openTyped(...keys: readonly string[]) {
  const input = new PassThrough();
  const output = new PassThrough();
  let shown = '';
  output.on('data', chunk => {
    shown += chunk;
  });
  const prompts = await openPrompts(input, output);
  const type = async () => {
    for (const key of keys) {
      await new Promise(resolve => setTimeout(resolve, 30));
      input.write(key);
    }
  };
  return {
    ...prompts,
    shown: () => shown,
    answer: async <Answer>(asked: Promise<Answer>) => (await Promise.all([asked, type()]))[0],
  };
}

const options = ['one', 'two', 'three'].map(value => ({ value, label: value }));

describe('questions on a terminal', () => {
  test('give the option that the arrow keys lead to', async () => {
    const { answer, chooseOne } = await openTyped(DOWN, ENTER);

    expect(await answer(chooseOne('Which?', options))).toBe('two');
  });

  test('give the marked options in their order', async () => {
    const { answer, chooseSome } = await openTyped(SPACE, ENTER);

    expect(await answer(chooseSome('Which?', options, ['three']))).toEqual(['one', 'three']);
  });

  test('give the proposal where nothing is typed', async () => {
    const { answer, askText } = await openTyped(ENTER);

    expect(await answer(askText('Zone?', 'UTC'))).toBe('UTC');
  });

  test('end with an error where the person breaks off', async () => {
    const { answer, chooseOne } = await openTyped(CTRL_C);

    await expect(answer(chooseOne('Which?', options))).rejects.toThrow('Nothing was written.');
  });

  test('escape the names of tables and columns', async () => {
    const hostile = [{ value: 'x', label: 'a\u001b]52;c;aGk=\u0007b', hint: '\u202egnp' }];
    const { answer, chooseOne, shown } = await openTyped(ENTER);

    expect(await answer(chooseOne('\u009b2J?', hostile))).toBe('x');
    expect(shown()).toContain(String.raw`a\u001b]52;c;aGk=\u0007b`);
    expect(shown()).toContain(String.raw`\u202egnp`);
    expect(shown()).toContain(String.raw`\u009b2J?`);
    for (const obeyed of ['\u001b]52', '\u202e', '\u009b']) expect(shown()).not.toContain(obeyed);
  });
});
