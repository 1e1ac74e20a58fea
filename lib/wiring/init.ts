import { access } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { describeExisting, writeNewFile } from '../adapters/new-file.ts';
import { nameAsked, type SqlDatabase } from '../adapters/sql/database.ts';
import { inspectDatabase } from '../adapters/sql/doctor.ts';
import type { DoctorFinding } from '../adapters/sql/doctor-sources.ts';
import { listTables, measureTexts } from '../adapters/sql/list-tables.ts';
import { MIGRATE_COMMAND } from '../adapters/sql/migrations/schema-version.ts';
import { resolveSource } from '../adapters/sql/resolve-source.ts';
import { batchTermsOf } from '../core/batches.ts';
import { composeConfig, composeWorkflow, type NewSource } from '../core/config/compose-config.ts';
import type { TableFacts } from '../core/config/judge-tables.ts';
import { parseConfig } from '../core/config/parse-config.ts';
import type { PipelineConfig } from '../core/config/pipeline-config.ts';
import { UsageError } from '../core/errors.ts';
import type { ModelDefinition } from '../core/model.ts';
import { FRESHET } from '../core/own-command.ts';
import { estimateTokens, estimateTokensOfLength } from '../core/packing.ts';
import { PROVIDERS } from '../core/providers.ts';
import { composeQuote, type SpaceQuote } from '../core/quote.ts';
import { configuredLimits } from '../core/rate.ts';
import { OWN_FILES } from './find-config.ts';
import {
  chooseDatabase,
  type Environment,
  expectEmbedded,
  loadConfig,
  openDatabase,
  readEnvironment,
} from './workspace.ts';

/** What is written where; the paths start from `directory`. */
interface InitRequest {
  readonly databaseUrl: string | undefined;
  /** True: the embedded database of the folder is looked at, and no other. */
  readonly embedded: boolean;
  readonly directory: string;
  /** File to write, relative to the folder. */
  readonly output: string;
  /** True: a workflow of GitHub Actions is written too. */
  readonly workflow: boolean;
  readonly force: boolean;
}

/** What was written for a source, and what it will take. */
interface WrittenConfig {
  readonly file: string;
  readonly workflow: string | undefined;
  readonly estimate: SpaceQuote & {
    /** False: `rows` is the planner's estimate, and no texts are known to be equal. */
    readonly isCounted: boolean;
  };
  /** What the doctor says, but for what the first run does by itself. */
  readonly findings: readonly DoctorFinding[];
  /** The lines to type next. */
  readonly next: readonly string[];
}

/** A database that a configuration is written for. */
export interface InitWorkspace {
  readonly tables: readonly TableFacts[];
  /** Ends a sentence about what the database lacks. */
  readonly asked: string;
  /** Models that need no entry of their own, by alias. */
  readonly models: Readonly<Record<string, ModelDefinition>>;
  /**
   * Writes the configuration of the source, and checks it as the doctor does.
   * @throws UsageError where the source cannot be; nothing was written then
   */
  write(source: NewSource): Promise<WrittenConfig>;
}

const WORKFLOW_FILE = join('.github', 'workflows', 'freshet.yml');

/**
 * Lets `use` write a configuration for the tables of a database.
 * @throws UsageError where no database is named, or a file exists that may not be overwritten
 */
export async function withTables<Result>(
  request: InitRequest,
  use: (workspace: InitWorkspace) => Promise<Result>,
): Promise<Result> {
  await refuseTakenNames(request);
  const environment = readEnvironment();
  const { models, ...defaults } = parseConfig(composeInput(undefined));
  const place = chooseDatabase({
    flag: request.databaseUrl,
    environment: request.embedded ? { ...environment, databaseUrl: undefined } : environment,
    config: defaults,
    demo: false,
    directory: request.directory,
  });
  if (place.kind === 'embedded') {
    refuseUnasked(request, environment);
    await expectEmbedded(place);
  }
  const database = await openDatabase(place, 2);
  try {
    return await use({
      tables: await listTables(database),
      asked: nameAsked(database),
      models,
      write: source => writeFor(request, environment, database, source),
    });
  } finally {
    await database.close();
  }
}

/** Refuses the embedded database where nobody named it, or where a run would take another one. */
function refuseUnasked({ embedded }: InitRequest, { databaseUrl }: Environment): void {
  if (!embedded)
    throw new UsageError(
      'DATABASE_URL is not set: init does not know which database to look at.',
      'export DATABASE_URL=postgres://user:password@host:5432/database\n' +
        'or name it with --database-url; --embedded is the one in .freshet',
    );
  if (databaseUrl !== undefined)
    throw new UsageError(
      '--embedded: DATABASE_URL is set, and a run would take that database.',
      'unset DATABASE_URL',
    );
}

/** Names that can be given to a configuration: what `defineConfig` is imported into are modules. */
const OUTPUT_NAME = /\.(ts|mts|js|mjs)$/;

/** @throws UsageError for a name that no configuration has, or that may not be overwritten */
async function refuseTakenNames({ directory, output, workflow, force }: InitRequest): Promise<void> {
  if (!OUTPUT_NAME.test(output) || /\p{Cc}/u.test(output))
    throw new UsageError(
      `--output ${JSON.stringify(output)}: expected a name that ends in .ts, .mts, .js or .mjs.`,
    );
  const file = resolve(directory, output);
  for (const path of [file, ...(workflow ? [join(directory, WORKFLOW_FILE)] : [])])
    if (!force && (await exists(path))) throw describeExisting(path);
  if (!OWN_FILES.includes(basename(file))) return;
  for (const name of OWN_FILES) {
    const other = join(dirname(file), name);
    if (other === file || !(await exists(other))) continue;
    throw new UsageError(
      `${name} exists, and of it and ${basename(file)} only one would be read.`,
      `Move ${name} away, or name another file with --output.`,
    );
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** The configuration as the file exports it; undefined: one of any source, for what is built in. */
function composeInput(source: NewSource | undefined): object {
  if (source === undefined)
    return { sources: [{ name: 'any', table: 'any', text: { columns: ['any'] }, model: 'static' }] };
  const { schema, table, key, updatedAt, timeZone, textColumns, model } = source;
  const [only, ...others] = key;
  return {
    sources: [
      {
        name: table,
        table: { schema, name: table },
        key: others.length === 0 ? only : key,
        updatedAt,
        ...(timeZone !== undefined && { timeZone }),
        text: { columns: textColumns },
        model,
      },
    ],
  };
}

async function writeFor(
  request: InitRequest,
  environment: Environment,
  database: SqlDatabase,
  source: NewSource,
): Promise<WrittenConfig> {
  const { directory, output, force } = request;
  const checked = parseConfig(composeInput(source));
  const model = checked.models[source.model]!;
  const resolved = await resolveSource(database, checked.sources[0]!);
  const measured = await measureTexts(database, resolved);
  const isFound =
    dirname(resolve(directory, output)) === resolve(directory) && OWN_FILES.includes(basename(output));
  const run = {
    words: isFound ? 'run' : `run --config ${quoteWord(output)}`,
    variables: [...(request.embedded ? [] : ['DATABASE_URL']), ...keyVariablesOf(model)],
  };
  await writeNewFile(resolve(directory, output), composeConfig(source, model, run), force);
  if (request.workflow) await writeNewFile(join(directory, WORKFLOW_FILE), composeWorkflow(run), force);
  const { config, file } = await loadConfig(output, directory);
  const findings = await inspectDatabase(database, config);
  return {
    file,
    workflow: request.workflow ? relative('.', WORKFLOW_FILE) : undefined,
    estimate: { ...quoteFirstRun(source, config, measured), isCounted: measured.isCounted },
    // A run migrates before it embeds.
    findings: findings.filter(({ statement }) => statement !== MIGRATE_COMMAND),
    next: [
      ...run.variables.filter(name => !environment.variables?.[name]?.trim()).map(name => `export ${name}=…`),
      `${FRESHET} ${run.words}`,
    ],
  };
}

/**
 * Quotes the first run of a source, of which nothing is embedded yet.
 * No provider is opened, whose key may be missing still: of its limits those of the model count.
 */
function quoteFirstRun(
  { table, model: alias }: NewSource,
  { models, limits }: PipelineConfig,
  { rows, texts, empty, characters, bytes }: Awaited<ReturnType<typeof measureTexts>>,
): SpaceQuote {
  const model = models[alias]!;
  const tokensPerText = estimateTokensOfLength(characters, bytes) + estimateTokens(model.documentPrefix);
  const counted = { rows, texts, duplicates: rows - texts - empty, copied: 0, touched: 0 };
  return composeQuote(
    { source: table, model: alias, staleRows: rows },
    { ...counted, estimatedTokens: Math.ceil(texts * tokensPerText) },
    1,
    {
      usdPerMillionTokens: model.usdPerMillionTokens,
      textsPerCall: Math.min(limits.batchSize, model.limits?.maxTextsPerCall ?? limits.batchSize),
      tokensPerCall: model.limits?.maxTokensPerCall ?? Number.POSITIVE_INFINITY,
      callsAtOnce: limits.concurrency,
      limits: configuredLimits(model),
      batch: batchTermsOf(model),
      measured: { tokens: 0, latencyMs: 0, comparedTokens: 0, estimatedTokens: 0, ratios: [] },
    },
  );
}

function keyVariablesOf({ provider }: ModelDefinition): readonly string[] {
  const { key } = PROVIDERS[provider];
  return key?.isNeeded === true ? [key.variable] : [];
}

/** Quotes a word for a shell, where it needs that. */
function quoteWord(word: string): string {
  return /^[\w./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
