import { describe, expect, test } from 'vitest';
import { chooseSource } from '../../bin/commands/choose-source.ts';
import type { Option, Prompts } from '../../bin/terminal/prompts.ts';
import { parseConfig } from '../../lib/core/config/parse-config.ts';
import { buildColumn, buildTable } from '../factories/table-facts.ts';

const { models } = parseConfig({
  sources: [{ name: 'any', table: 'any', text: { columns: ['any'] }, model: 'static' }],
});
const workspace = (...tables: ReturnType<typeof buildTable>[]) => ({ tables, asked: '', models });

const articles = buildTable();
const shop = buildTable({ schema: 'shop', name: 'items', rows: null });

/** Answers with the labels that are given, in turn, and keeps what was asked. */
function answerWith(...answers: readonly (string | readonly string[])[]) {
  const asked: string[] = [];
  const left = [...answers];
  const next = (question: string) => {
    asked.push(question);
    const answer = left.shift();
    if (answer === undefined) throw new Error(`nobody expected: ${question}`);
    return answer;
  };
  const prompts: Prompts = {
    chooseOne: async <Value>(question: string, options: readonly Option<Value>[]) => {
      const label = next(question);
      return options.find(option => option.label === label)!.value;
    },
    chooseSome: async question => next(question) as readonly string[],
    askText: async question => next(question) as string,
  };
  return { prompts, asked };
}

describe('with --yes', () => {
  test('the one table that can be embedded is taken as it is proposed, with a model that costs nothing', async () => {
    const unfit = buildTable({ name: 'events', uniqueIndexes: [] });

    expect(await chooseSource(workspace(articles, unfit), {}, undefined)).toEqual({
      ...{ schema: 'public', table: 'articles', key: ['id'], updatedAt: 'updated_at', timeZone: undefined },
      ...{ textColumns: ['title', 'body'], model: 'static' },
    });
  });

  test('several tables are refused, each by its name', async () => {
    await expect(chooseSource(workspace(articles, shop), {}, undefined)).rejects.toMatchObject({
      message: '2 tables can be embedded: --table names one of them.',
      remedy: 'Tables: public.articles, shop.items',
    });
  });

  test('every flag is taken in place of what is proposed', async () => {
    const flags = { table: 'items', text: 'body, title', model: 'text-embedding-3-small', key: 'id' };

    expect(await chooseSource(workspace(articles, shop), flags, undefined)).toMatchObject({
      ...{ schema: 'shop', table: 'items', textColumns: ['body', 'title'], model: 'text-embedding-3-small' },
    });
  });

  test('a model that is not there is refused with the nearest', async () => {
    await expect(chooseSource(workspace(articles), { model: 'statik' }, undefined)).rejects.toMatchObject({
      message: '--model "statik": there is no such model; did you mean static?',
    });
  });

  test('a time without zone is taken for UTC, and a zone for a column that has one is refused', async () => {
    const columns = [
      ...articles.columns.slice(0, -1),
      buildColumn('updated_at', 'timestamp without time zone'),
    ];
    const zoneless = workspace(buildTable({ columns }));

    expect((await chooseSource(zoneless, {}, undefined)).timeZone).toBe('UTC');
    expect((await chooseSource(zoneless, { 'time-zone': 'Asia/Tokyo' }, undefined)).timeZone).toBe(
      'Asia/Tokyo',
    );
    await expect(chooseSource(workspace(articles), { 'time-zone': 'UTC' }, undefined)).rejects.toThrow(
      'needs none',
    );
  });
});

describe('a person', () => {
  test('is asked for table, texts and model, and not for what has one answer', async () => {
    const { prompts, asked } = answerWith('shop.items', ['title'], 'openai');

    expect(await chooseSource(workspace(articles, shop), {}, prompts)).toMatchObject({
      ...{ table: 'items', textColumns: ['title'], model: 'openai', updatedAt: 'updated_at', key: ['id'] },
    });
    expect(asked).toHaveLength(3);
  });

  test('is asked nothing that a flag says', async () => {
    const { prompts, asked } = answerWith();

    await chooseSource(
      workspace(articles, shop),
      { table: 'items', text: 'title', model: 'static' },
      prompts,
    );
    expect(asked).toEqual([]);
  });

  test('is asked which of several times counts, and for the zone of one that has none', async () => {
    const columns = [...articles.columns, buildColumn('modified', 'timestamp without time zone')];
    const { prompts } = answerWith(['title'], 'modified', 'Asia/Tokyo', 'static');

    expect(await chooseSource(workspace(buildTable({ columns })), {}, prompts)).toMatchObject({
      ...{ updatedAt: 'modified', timeZone: 'Asia/Tokyo' },
    });
  });
});
