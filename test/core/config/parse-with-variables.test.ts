import { describe, expect, test } from 'vitest';
import { VARIABLE_NAMES } from '../../../lib/core/config/environment-table.ts';
import { parseWithVariables } from '../../../lib/core/config/parse-with-variables.ts';
import { UsageError } from '../../../lib/core/errors.ts';

const source = { name: 'articles', table: 'articles', text: { columns: ['title'] } };
const withModel = { sources: [{ ...source, model: 'hash' }] };
const withoutModel = { sources: [source] };
const elsewhere = { sources: [{ ...source, model: 'bge-m3' }] };

function refusalOf(config: object, variables: Record<string, string>): UsageError {
  try {
    parseWithVariables(config, variables);
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

/** A value of each variable that is wrong by itself, and one that is wrong beside the configuration. */
const WRONG: readonly (readonly [string, string, object])[] = [
  ['EMBED_PROVIDER', 'opnai', withModel],
  ['EMBED_PROVIDER', 'static', elsewhere],
  ['EMBED_PROVIDER', 'sagemaker', elsewhere],
  ['MIS_URL', 'models.internal', withModel],
  ['EMB_MODELS', 'mini:foo:rev', withModel],
  ['EMB_MODELS', 'mini:foo:rev:0:x', withModel],
  ['EMB_MODELS', 'mini:foo:rev:384:256', withModel],
  ['EMB_DEFAULT_RT_MODELS', 'nope', withModel],
  ['EMB_DEFAULT_RT_MODELS', 'nope', { sources: [{ ...source, profile: 'rt' }] }],
  ['EMB_DEFAULT_BULK_MODELS', 'hash hash', withModel],
  ['EMBED_MODEL', 'nope', withoutModel],
  ['EMBED_MODEL', 'bge-m3', withoutModel],
  ['EMBED_BATCH_SIZE', '2049', withModel],
  ['EMBED_TIMEOUT_SEC', '10s', withModel],
  ['EMBED_MAX_RETRY', '-1', withModel],
  ['EMBED_FALLBACK_TO_TOY', 'true', withModel],
];

describe('a wrong value of a variable is told by its name', () => {
  test.each(WRONG)('%s=%s', (name, value, config) => {
    const { message, remedy } = refusalOf(config, { [name]: value });

    expect(message).toMatch(new RegExp(`^(The configuration has .*\\n {2}|The )variable ${name} `));
    expect(`${message} ${remedy}`).toMatch(/expected |is missing|leave|unset/);
  });

  test('and no variable of the table was left out above', () => {
    expect([...new Set(WRONG.map(([name]) => name))]).toEqual(VARIABLE_NAMES);
  });

  test('with the key that it fills, what was expected there, and what to write', () => {
    const { message, remedy } = refusalOf(withModel, { EMB_MODELS: 'mini:foo:rev' });

    expect(message.split('\n')[1]).toBe(
      '  variable EMB_MODELS (registry[0]): "mini:foo:rev": expected five fields, ' +
        'alias:model_id:rev:dim:max_seq, got 3',
    );
    expect(remedy).toBe(
      'EMB_MODELS: entries alias:model_id:rev:dim:max_seq, parted by commas; or unset EMB_MODELS',
    );
  });
});

describe('a problem', () => {
  test('of two variables together names both, once', () => {
    const { message } = refusalOf(withoutModel, { EMBED_MODEL: 'bge-m3', EMB_DEFAULT_RT_MODELS: 'bge-m3' });

    expect(message).toContain('has a problem:\n  variables EMB_DEFAULT_RT_MODELS, EMBED_MODEL (models');
  });

  test('of the file is told as the file has it, whatever is set', () => {
    const { message, remedy } = refusalOf(
      { sources: [{ ...source, model: 'nope' }] },
      { EMB_MODELS: 'fast:acme/fast:main:384:256', MIS_URL: 'https://models.internal' },
    );

    expect(message).toMatch(/\n {2}sources\[0\]\.model: "nope" is no model/);
    expect(message).not.toContain('variable');
    expect(remedy).toBeUndefined();
  });

  test('of the file stands beside one of a variable', () => {
    const { message } = refusalOf(
      { sources: [{ ...source, model: 'nope' }] },
      { EMB_DEFAULT_RT_MODELS: 'naught' },
    );

    expect(message.split('\n').map(line => line.split(':')[0])).toEqual([
      'The configuration has 2 problems',
      '  variable EMB_DEFAULT_RT_MODELS (profiles.rt)',
      '  sources[0].model',
    ]);
  });
});
