import { describe, expect, test } from 'vitest';
import { composeConfig, composeWorkflow, type NewSource } from '../../../lib/core/config/compose-config.ts';
import { parseConfig } from '../../../lib/core/config/parse-config.ts';

const { openai: model } = parseConfig({
  sources: [{ name: 'any', table: 'any', text: { columns: ['any'] }, model: 'openai' }],
}).models;
const source: NewSource = {
  ...{ schema: 'public', table: 'articles', key: ['id'], updatedAt: 'updated_at', model: 'openai' },
  textColumns: ['title', 'body'],
};
const run = { words: 'run', variables: ['DATABASE_URL', 'OPENAI_API_KEY'] };

/** Runs the text as the module that it is, without its import. */
function load(changed: Partial<NewSource>) {
  const text = composeConfig({ ...source, ...changed }, model!, run);
  const [importLine, ...lines] = text.split('\n');
  expect(importLine).toBe("import { defineConfig } from 'freshet';");
  const body = lines.join('\n').replace('export default defineConfig(', 'return (');
  return parseConfig(new Function(body)()).sources;
}

describe('the configuration that init writes', () => {
  test('is read as the source that was chosen', () => {
    expect(load({ timeZone: 'Europe/Vienna' })).toMatchObject([
      {
        ...{ name: 'articles', table: 'public.articles', key: 'id', updatedAt: 'updated_at' },
        ...{ timeZone: 'Europe/Vienna', text: { columns: ['title', 'body'] }, models: ['openai'] },
      },
    ]);
  });

  test.each([
    "it's",
    'back\\slash',
    'a.b',
    'line\nexport default 1; //',
    'sep\u2028arator',
    '`$' + '{1}`',
    '*/ throw 1 /*',
    '\u202egnp',
  ])('keeps a name as it is, whatever it holds: %j', name => {
    const sources = load({ table: name, textColumns: [name, 'body'], updatedAt: name, key: [name] });

    expect(sources).toMatchObject([{ name, key: name, updatedAt: name, text: { columns: [name, 'body'] } }]);
    const table = sources[0]!.table;
    expect(typeof table === 'string' ? table : `${table.schema}.${table.name}`).toBe(`public.${name}`);
  });

  test('asks for half floats where an index takes no others of so many', () => {
    const { large } = parseConfig({
      models: { large: { provider: 'openai', modelId: 'text-embedding-3-large', dimensions: 3072 } },
      sources: [{ name: 'any', table: 'any', text: { columns: ['any'] }, model: 'large' }],
    }).models;

    expect(composeConfig(source, large!, run)).toMatch(/^ {6}storage: 'halfvec',$/m);
    expect(composeConfig(source, model!, run)).not.toContain('storage');
  });

  test('has the schedule as a line to copy, with the variables that a run reads', () => {
    const text = composeConfig(source, model!, run);

    expect(text).toMatch(/^\/\/ {3}\*\/5 \* \* \* \* cd THIS_FOLDER .* npm run --silent freshet -- run$/m);
    expect(text).toContain('for DATABASE_URL and OPENAI_API_KEY');
    expect(text).toContain('$0.02 per million tokens');
  });
});

test('the workflow passes every variable from a secret', () => {
  const text = composeWorkflow({ ...run, words: `run --config 'a "b".ts'` });

  for (const name of run.variables) expect(text).toContain(`${name}: \${{ secrets.${name} }}`);
  expect(text).toContain(String.raw`- run: "npm run --silent freshet -- run --config 'a \"b\".ts'"`);
});
