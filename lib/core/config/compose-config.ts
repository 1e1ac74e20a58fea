import type { ModelDefinition } from '../model.ts';
import { DOCS, FRESHET } from '../own-command.ts';
import { PROVIDERS } from '../providers.ts';
import { maxIndexedDimensions } from '../vectors.ts';

/** A source as `freshet init` writes it down. */
export interface NewSource {
  readonly schema: string;
  readonly table: string;
  readonly key: readonly string[];
  readonly updatedAt: string;
  /** Undefined: the column has its zone. */
  readonly timeZone?: string | undefined;
  readonly textColumns: readonly string[];
  /** Alias of a model. */
  readonly model: string;
}

/** How a run is started from outside. */
interface ScheduledRun {
  /** Words of the command that embeds, such as `run --config FILE`. */
  readonly words: string;
  /** Names of the variables that it reads. */
  readonly variables: readonly string[];
}

/** How the files name the commands of this program: without the lines that npm prints itself. */
const COMMAND = FRESHET.replace('npm run ', 'npm run --silent ');

/**
 * Composes a configuration with one source, in comments that say what each key is for.
 * Names are foreign text: they stand in string literals, and in no comment.
 */
export function composeConfig(source: NewSource, model: ModelDefinition, run: ScheduledRun): string {
  const { schema, table, key, updatedAt, timeZone, textColumns } = source;
  const hasDot = [schema, table].some(name => name.includes('.'));
  const tableName = hasDot
    ? `{ schema: ${quoteText(schema)}, name: ${quoteText(table)} }`
    : quoteText(`${schema}.${table}`);
  const keys = key.map(quoteText);
  return [
    "import { defineConfig } from 'freshet';",
    '',
    `// Written by \`freshet init\`; ${DOCS}/configuration.md lists every key.`,
    '// The database is that of DATABASE_URL, else the embedded one in .freshet. No password belongs here.',
    'export default defineConfig({',
    '  sources: [',
    '    {',
    '      // The view that applications search has this name, in schema embeddings.',
    `      name: ${quoteText(table)},`,
    `      table: ${tableName},`,
    '      // What tells the rows apart: unique and NOT NULL.',
    `      key: ${keys.length === 1 ? keys[0] : `[${keys.join(', ')}]`},`,
    '      // The time of the last change of a row. The application sets it; by it a run finds what changed.',
    `      updatedAt: ${quoteText(updatedAt)},`,
    ...(timeZone === undefined
      ? []
      : [
          '      // That column has no time zone: the zone that its values are in.',
          `      timeZone: ${quoteText(timeZone)},`,
        ]),
    '      text: {',
    '        // The columns that are embedded, in this order, each on lines of its own.',
    `        columns: [${textColumns.map(quoteText).join(', ')}],`,
    "        // template: '{title}: {body}', // places them otherwise",
    '      },',
    `      // ${describeModel(model)}`,
    `      model: ${quoteText(source.model)},`,
    ...(model.dimensions > maxIndexedDimensions(undefined)
      ? [
          '      // Numbers of two bytes in place of four: a search index takes no others of so many.',
          "      storage: 'halfvec',",
        ]
      : []),
    '    },',
    '  ],',
    '});',
    '',
    '// A run embeds what changed and ends. To have one every five minutes, in the lines of `crontab -e`:',
    '//',
    ...composeCron(run).map(line => `//   ${line}`),
    '//',
    '// Runs may overlap: they share the work. `freshet init --github-action` writes a workflow for GitHub.',
    '',
  ].join('\n');
}

/** Lines of a crontab for a run every five minutes. */
function composeCron({ words, variables }: ScheduledRun): readonly string[] {
  const schedule = '*/5 * * * * cd THIS_FOLDER &&';
  if (variables.length === 0) return [`${schedule} ${COMMAND} ${words}`];
  return [
    `# .env has lines such as NAME='value' for ${variables.join(' and ')}`,
    `${schedule} set -a && . ./.env && ${COMMAND} ${words}`,
  ];
}

/**
 * Composes a workflow of GitHub Actions that embeds every quarter of an hour.
 * The database must be reachable from GitHub's machines, or the runner stand beside it.
 */
export function composeWorkflow({ words, variables }: ScheduledRun): string {
  return [
    '# Written by `freshet init`. The secrets are those of the repository: Settings, Secrets, Actions.',
    'name: freshet',
    'on:',
    '  schedule:',
    "    - cron: '*/15 * * * *'",
    '  workflow_dispatch:',
    'permissions:',
    '  contents: read',
    'concurrency: freshet',
    'jobs:',
    '  run:',
    '    runs-on: ubuntu-latest',
    '    timeout-minutes: 60',
    '    steps:',
    '      - uses: actions/checkout@v4',
    '      - uses: actions/setup-node@v4',
    '        with:',
    '          node-version: 24',
    '      - run: npm ci',
    `      - run: ${JSON.stringify(`${COMMAND} ${words}`)}`,
    '        env:',
    ...variables.map(name => `          ${name}: \${{ secrets.${name} }}`),
    '',
  ].join('\n');
}

/** What a person weighs a model by, in one line. */
export function describeModel(
  model: Pick<ModelDefinition, 'modelId' | 'provider' | 'dimensions' | 'usdPerMillionTokens'>,
): string {
  const { modelId, provider, dimensions, usdPerMillionTokens } = model;
  const place = PROVIDERS[provider].isInProcess
    ? 'in this process, no text leaves it'
    : `by provider ${provider}`;
  const price =
    usdPerMillionTokens === 0 ? 'no price per token' : `$${usdPerMillionTokens} per million tokens`;
  return `${modelId}, ${place}: ${dimensions} dimensions, ${price}.`;
}

/**
 * Writes a text as a string literal of TypeScript.
 * What would end the line, or show it in another order than it is stored in, is escaped.
 */
function quoteText(text: string): string {
  const escaped = text.replaceAll(/['\\]|[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, character =>
    character === "'" || character === '\\'
      ? `\\${character}`
      : `\\u${character.codePointAt(0)!.toString(16).padStart(4, '0')}`,
  );
  return `'${escaped}'`;
}
