import { describe, expect, it } from 'vitest';
import demo from '../../../examples/demo/freshet.config.ts';
import openai from '../../../examples/openai/freshet.config.ts';
import wiki from '../../../examples/wiki/freshet.config.ts';
import type { FreshetConfig } from '../../../lib/core/config/config-schema.ts';
import { parseConfig } from '../../../lib/core/config/parse-config.ts';
import { UsageError } from '../../../lib/core/errors.ts';

const source = { name: 'ai_items', table: 'public.ai_items', text: { columns: ['title'] }, model: 'hash' };

function problemsOf(input: unknown): string[] {
  try {
    parseConfig(input);
  } catch (error) {
    if (error instanceof UsageError)
      return error.message
        .split('\n')
        .slice(1)
        .map(line => line.trim());
    throw error;
  }
  return [];
}

describe('parseConfig', () => {
  it('fills in the defaults of a minimal configuration', () => {
    const config = parseConfig({ sources: [source] });

    expect(config.sources).toEqual([
      {
        name: 'ai_items',
        table: 'public.ai_items',
        updatedAt: 'updated_at',
        text: { columns: ['title'] },
        models: ['hash'],
        overLimit: 'truncate',
      },
    ]);
    expect(config.database).toEqual({ embeddedDirectory: '.freshet/database', viewSchema: 'embeddings' });
    expect(config.limits).toMatchObject({ batchSize: 100, timeoutSeconds: 60, pauseMs: 0 });
  });

  it.each([
    ['demo', demo],
    ['openai', openai],
    ['wiki', wiki],
  ])('accepts the example %s', (_name, config: FreshetConfig) => {
    expect(problemsOf(config)).toEqual([]);
  });

  it('names a misspelt key by its path with the nearest valid key, and not also as missing', () => {
    const problems = problemsOf({ sources: [{ ...source, text: { colums: ['title'] } }] });

    expect(problems).toEqual([
      'sources[0].text.colums: is not a known key; did you mean "columns"? (known: columns, template)',
    ]);
  });

  it('lists every problem of a configuration at once', () => {
    const problems = problemsOf({
      sources: [{ ...source, table: 'a.b.c' }],
      limit: {},
      models: { mine: { dimensions: 0 } },
    });

    expect(problems).toHaveLength(3);
    expect(problems.join('\n')).toContain('limit: is not a known key; did you mean "limits"?');
    expect(problems.join('\n')).toContain('sources[0].table: expected "schema.table", "table", or');
  });

  it.each([[0], [16_001], [1.5], ['1536'], [null]])(
    'refuses %j dimensions and says what is possible',
    dimensions => {
      const problems = problemsOf({ sources: [source], models: { openai: { dimensions } } });

      expect(problems).toEqual([
        `models.openai.dimensions: expected a whole number from 1 to 16000, got ${JSON.stringify(dimensions)}`,
      ]);
    },
  );

  it('refuses two sources of one name', () => {
    expect(problemsOf({ sources: [source, source] })).toEqual([
      'sources[1].name: "ai_items" is the name of sources[0] already; each source needs its own',
    ]);
  });

  it('names the nearest model for an unknown alias', () => {
    expect(problemsOf({ sources: [{ ...source, model: ['hash', 'opnai'] }] })[0]).toContain(
      'sources[0].model: "opnai" is no model; did you mean "openai"?',
    );
  });

  it('refuses a placeholder that is no text column', () => {
    const text = { columns: ['title'], template: '{titel}!' };

    expect(problemsOf({ sources: [{ ...source, text }] })[0]).toContain('did you mean {title}?');
  });

  it('never repeats a connection string', () => {
    const problems = problemsOf({ sources: [source], database: { url: 'mysql://user:secret@host/db' } });

    expect(problems).toEqual([
      'database.url: expected a URL such as postgres://user@host:5432/database, got another text',
    ]);
  });

  it('completes a built-in model with what the configuration changes', () => {
    const config = parseConfig({
      sources: [source],
      models: { ollama: { baseUrl: 'http://gpu.internal:11434/v1' } },
    });

    expect(config.models.ollama).toMatchObject({
      modelId: 'nomic-embed-text',
      dimensions: 768,
      baseUrl: 'http://gpu.internal:11434/v1',
    });
  });

  it('asks provider, name and dimensions of a model that is not built in', () => {
    expect(problemsOf({ sources: [source], models: { mine: { modelId: 'm' } } })).toEqual([
      'models.mine.provider: is missing; a model that is not built in needs provider, modelId and dimensions',
      'models.mine.dimensions: is missing; a model that is not built in needs provider, modelId and dimensions',
    ]);
  });

  it.each([[undefined], [null], [[]], ['text'], [{ sources: [] }], [{ sources: {} }], [{ sources: [1] }]])(
    'refuses %j',
    input => {
      expect(() => parseConfig(input)).toThrow(UsageError);
    },
  );
});
