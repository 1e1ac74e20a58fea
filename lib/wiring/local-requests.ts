import { createControlStore } from '../adapters/sql/control-store.ts';
import { nameAsked, type TypedResult } from '../adapters/sql/database.ts';
import { createDetectionStore } from '../adapters/sql/detection-store.ts';
import { inspectDatabase } from '../adapters/sql/doctor.ts';
import type { DoctorFinding } from '../adapters/sql/doctor-sources.ts';
import { requireSchemaRights } from '../adapters/sql/migrations/migrate.ts';
import { MIGRATE_COMMAND } from '../adapters/sql/migrations/schema-version.ts';
import { openSpaces } from '../adapters/sql/open-spaces.ts';
import { createReportStore } from '../adapters/sql/report-store.ts';
import { createResetStore } from '../adapters/sql/reset-store.ts';
import { listCaps } from '../core/budget.ts';
import { nearestWord } from '../core/config/describe-issues.ts';
import { FreshetError, UsageError } from '../core/errors.ts';
import type { Space } from '../core/model.ts';
import { FRESHET } from '../core/own-command.ts';
import type { SpaceQuote } from '../core/quote.ts';
import {
  answerOperator,
  changesSchema,
  countUpTo,
  isOperateName,
  isText,
  type KeyCheck,
  optional,
  requireKeys,
} from '../pipeline/operate/operate.ts';
import type { OperatePorts } from '../pipeline/operate/operate-ports.ts';
import type { OperateExchanges } from '../ports/operator.ts';
import type { SearchAnswer, SearchPlan } from '../ports/search.ts';
import { explainAsOperator, type OwnSearch, searchAsOperator } from './open-search.ts';
import { createResetQuotes, quoteSpaces } from './quotes.ts';
import type { Workspace } from './workspace.ts';

/**
 * Requests that need a workspace: its providers, or the embedded database.
 * No stage answers them.
 */
interface WorkspaceExchanges {
  readonly search: { readonly request: OwnSearch; readonly answer: SearchAnswer };
  readonly 'explain-search': { readonly request: OwnSearch; readonly answer: SearchPlan };
  readonly quote: {
    readonly request: { readonly source?: string | undefined };
    readonly answer: { readonly quotes: readonly SpaceQuote[] };
  };
  readonly doctor: {
    readonly request: { readonly countKeys?: boolean | undefined };
    readonly answer: { readonly findings: readonly DoctorFinding[] };
  };
  /** Runs statements that a person typed; the answer is that of the last one. */
  readonly sql: { readonly request: { readonly statement: string }; readonly answer: TypedResult };
}

/** What can be asked of a database on this machine or on a server. */
type LocalExchanges = OperateExchanges & WorkspaceExchanges;

/** Asks a database; as `AskOperator`, with the requests that need a workspace. */
export type AskLocally = <Name extends keyof LocalExchanges>(
  name: Name,
  details: LocalExchanges[Name]['request'],
) => Promise<LocalExchanges[Name]['answer']>;

interface WorkspaceRequestDefinition<Name extends keyof WorkspaceExchanges> {
  readonly keys: Readonly<Record<keyof WorkspaceExchanges[Name]['request'], KeyCheck>>;
  answer(
    workspace: Workspace,
    request: WorkspaceExchanges[Name]['request'],
  ): Promise<WorkspaceExchanges[Name]['answer']>;
}

const isTyped: KeyCheck = value => typeof value === 'string' && value.trim() !== '';

const isNumber: KeyCheck = value => typeof value === 'number' && Number.isFinite(value);
const isObject: KeyCheck = value => typeof value === 'object' && value !== null;
const isTextList: KeyCheck = value => Array.isArray(value) && value.every(isText);

/** What the search itself refuses, with words for the person, passes here. */
const searchKeys: Readonly<Record<keyof OwnSearch, KeyCheck>> = {
  source: optional(isText),
  query: optional(isTyped),
  vector: optional(value => Array.isArray(value) && value.every(isNumber)),
  like: optional(isText),
  limit: countUpTo(1000),
  filter: () => true,
  mode: optional(isText),
  diversity: optional(isNumber),
  cursor: optional(isText),
  columns: optional(isTextList),
  minScore: optional(isNumber),
  weights: optional(isObject),
  rerank: optional(isObject),
  tenant: optional(isText),
};

const definitions: {
  readonly [Name in keyof WorkspaceExchanges]: WorkspaceRequestDefinition<Name>;
} = {
  search: {
    keys: searchKeys,
    answer: async (workspace, asked) => {
      await requireSearched(workspace, asked);
      return searchAsOperator(workspace, asked);
    },
  },
  'explain-search': {
    keys: searchKeys,
    answer: async (workspace, asked) => {
      await requireSearched(workspace, asked);
      return explainAsOperator(workspace, asked);
    },
  },
  quote: {
    keys: { source: optional(isText) },
    answer: async (workspace, { source }) => {
      const spaces = await openSpaceList(workspace, MIGRATE_COMMAND);
      const chosen = source === undefined ? spaces : spacesOf(spaces, source);
      return { quotes: await quoteSpaces(workspace, chosen) };
    },
  },
  doctor: {
    keys: { countKeys: optional(value => typeof value === 'boolean') },
    answer: async ({ database, config }, { countKeys }) => ({
      findings: await inspectDatabase(database, config, countKeys),
    }),
  },
  sql: { keys: { statement: isTyped }, answer: runStatement },
};

/**
 * The answers of an open workspace to requests `{ "request": <name>, …keys }`.
 *
 * This process asks, or another one through the request folder. The answers are values that JSON
 * can hold.
 * @throws UsageError where the person at the keyboard can mend it
 * @throws FreshetError `bad_request` for what is no request
 */
export function createLocalAnswers(workspace: Workspace): (event: unknown) => Promise<object> {
  let opened: Promise<OperatePorts> | undefined;
  const openPorts = () => {
    opened ??= openOperatePorts(workspace).catch(error => {
      opened = undefined;
      throw error;
    });
    return opened;
  };
  return async event => {
    const { request: name, ...details } = Object(event) as Record<string, unknown>;
    if (typeof name === 'string' && Object.hasOwn(definitions, name)) {
      const { keys, answer } = definitions[name as keyof WorkspaceExchanges];
      requireKeys(name, details, keys);
      return (answer as WorkspaceRequestDefinition<never>['answer'])(workspace, details as never);
    }
    if (typeof name === 'string' && isOperateName(name) && changesSchema(name))
      await requireSchemaRights(workspace.database, 'write');
    return answerOperator(await openPorts(), event, () => Number.POSITIVE_INFINITY);
  };
}

/**
 * The spaces of the configuration, in its order. `remedy` is the command that makes them.
 * @throws UsageError when the database has no schema `freshet`, or not yet these spaces.
 */
export async function openSpaceList(
  workspace: Workspace,
  remedy = `${FRESHET} run`,
): Promise<readonly Space[]> {
  try {
    const registry = await openSpaces(workspace.database, workspace.config);
    const spaces = await registry.list();
    if (spaces.length > 0) return spaces;
  } catch (error) {
    const schemaMissing = error instanceof FreshetError && /42P01|3F000/.test(error.code);
    if (!schemaMissing) throw error;
  }
  throw new UsageError(
    `The database has no vectors of the sources in ${workspace.file} yet.${nameAsked(workspace.database)}`,
    remedy,
  );
}

/** A logger that keeps nothing: whoever asks sees the answer. */
export const silentLogger = { info: () => undefined, warn: () => undefined, error: () => undefined };

async function openOperatePorts(workspace: Workspace): Promise<OperatePorts> {
  const { database } = workspace;
  const spaces = await openSpaceList(workspace);
  return {
    spaces: {
      list: async () => spaces,
      find: async spaceId => spaces.find(space => space.spaceId === spaceId),
    },
    control: createControlStore(database),
    reports: createReportStore(database),
    resets: createResetStore(database),
    quoteReset: createResetQuotes(workspace),
    detection: createDetectionStore(database),
    logger: silentLogger,
    caps: listCaps(workspace.config.budget),
  };
}

/** @throws UsageError where nothing is embedded yet, or there is no such source */
async function requireSearched(workspace: Workspace, { source }: OwnSearch): Promise<void> {
  const spaces = await openSpaceList(workspace);
  if (source !== undefined) spacesOf(spaces, source);
}

/** @throws UsageError where there is no such source */
function spacesOf(spaces: readonly Space[], source: string): readonly Space[] {
  const named = spaces.filter(space => space.source.name === source);
  if (named.length > 0) return named;
  const names = [...new Set(spaces.map(space => space.source.name))];
  const nearest = nearestWord(source, names);
  throw new UsageError(
    `--source ${JSON.stringify(source)}: there is no such source.` +
      (nearest === undefined ? '' : ` Did you mean ${nearest}?`),
    `Sources: ${names.join(', ')}`,
  );
}

/**
 * Runs statements on the embedded database only.
 * A server has `psql`, and permissions of its own.
 */
async function runStatement(
  { database }: Workspace,
  { statement }: { readonly statement: string },
): Promise<TypedResult> {
  if (database.runTyped === undefined)
    throw new UsageError('sql works on the embedded database only.', 'psql "$DATABASE_URL"');
  const { rows, affectedRows } = await database.runTyped(statement);
  return {
    rows: rows.map(row =>
      Object.fromEntries(Object.entries(row).map(([name, value]) => [name, toJsonValue(value)])),
    ),
    affectedRows,
  };
}

/**
 * A column's value as JSON can hold it.
 * Big and infinite numbers become text, bytes hexadecimal.
 */
function toJsonValue(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`;
  if (Array.isArray(value)) return value.map(toJsonValue);
  return value ?? null;
}
