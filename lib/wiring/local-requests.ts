import { createControlStore } from '../adapters/sql/control-store.ts';
import { nameAsked, type TypedResult } from '../adapters/sql/database.ts';
import { createDetectionStore } from '../adapters/sql/detection-store.ts';
import { inspectDatabase } from '../adapters/sql/doctor.ts';
import type { DoctorFinding } from '../adapters/sql/doctor-sources.ts';
import { requireSchemaRights } from '../adapters/sql/migrations/migrate.ts';
import { openSpaces } from '../adapters/sql/open-spaces.ts';
import { createReportStore } from '../adapters/sql/report-store.ts';
import { createResetStore } from '../adapters/sql/reset-store.ts';
import { createSystemClock } from '../adapters/system.ts';
import { nearestWord } from '../core/config/describe-issues.ts';
import { FreshetError, UsageError } from '../core/errors.ts';
import type { Space } from '../core/model.ts';
import { requireVectors } from '../core/reply.ts';
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
import type { SearchHit } from '../ports/report-store.ts';
import { createLocalAccess, createProviders } from './providers.ts';
import type { Workspace } from './workspace.ts';

/**
 * Requests that need a workspace: its providers, or the embedded database.
 * No stage answers them.
 */
interface WorkspaceExchanges {
  readonly search: { readonly request: SearchQuery; readonly answer: FoundRows };
  readonly doctor: {
    readonly request: object;
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

interface SearchQuery {
  readonly text: string;
  readonly limit: number;
  /** Undefined: the first source of the configuration. */
  readonly source?: string | undefined;
}

export interface FoundRows {
  readonly source: string;
  readonly model: string;
  /** Names of the source's text columns, in the order in which each hit has their values. */
  readonly columns: readonly string[];
  readonly hits: readonly SearchHit[];
}

interface WorkspaceRequestDefinition<Name extends keyof WorkspaceExchanges> {
  readonly keys: Readonly<Record<keyof WorkspaceExchanges[Name]['request'], KeyCheck>>;
  answer(
    workspace: Workspace,
    request: WorkspaceExchanges[Name]['request'],
  ): Promise<WorkspaceExchanges[Name]['answer']>;
}

const isTyped: KeyCheck = value => typeof value === 'string' && value.trim() !== '';

const definitions: {
  readonly [Name in keyof WorkspaceExchanges]: WorkspaceRequestDefinition<Name>;
} = {
  search: {
    keys: { text: isTyped, limit: countUpTo(1000), source: optional(isText) },
    answer: searchByText,
  },
  doctor: {
    keys: {},
    answer: async ({ database, config }) => ({ findings: await inspectDatabase(database, config) }),
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
 * The spaces of the configuration, in its order.
 * @throws UsageError when the database has no schema `freshet`, or not yet these spaces.
 */
export async function openSpaceList(workspace: Workspace): Promise<readonly Space[]> {
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
    'npm run freshet -- run',
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
    detection: createDetectionStore(database),
    logger: silentLogger,
  };
}

/** Embeds the text as a query and finds the nearest rows of the source's active space. */
export async function searchByText(workspace: Workspace, query: SearchQuery): Promise<FoundRows> {
  const { source, model, ...space } = chooseSpace(await openSpaceList(workspace), query.source);
  const access = createLocalAccess(workspace.environment);
  const providers = await createProviders(workspace.config, access, createSystemClock());
  const reply = await providers.get(model.alias)!.embed({
    texts: [model.queryPrefix + query.text],
    deadlineMs: workspace.config.limits.timeoutSeconds * 1000,
  });
  const [vector] = requireVectors(reply, model, 1);
  const reports = createReportStore(workspace.database);
  const hits = await reports.search({ source, model, ...space }, vector!, query.limit);
  return {
    source: source.name,
    model: model.alias,
    columns: source.textColumns.map(column => column.name),
    hits,
  };
}

function chooseSpace(spaces: readonly Space[], source: string | undefined): Space {
  const named = source === undefined ? spaces : spaces.filter(space => space.source.name === source);
  const chosen = named.find(space => space.status === 'active') ?? named[0];
  if (chosen !== undefined) return chosen;
  const names = [...new Set(spaces.map(space => space.source.name))];
  const nearest = nearestWord(source ?? '', names);
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
