import { DirectoryInUseError } from '../adapters/pglite/lock-directory.ts';
import { createGoldenStore } from '../adapters/sql/golden-store.ts';
import { openSpaces } from '../adapters/sql/open-spaces.ts';
import { createQueryLedger } from '../adapters/sql/query-ledger.ts';
import { createReportStore } from '../adapters/sql/report-store.ts';
import { usedAliases } from '../core/config/pipeline-config.ts';
import { FreshetError, UsageError } from '../core/errors.ts';
import { goldenKeyOf } from '../core/golden-texts.ts';
import type { ModelFlow } from '../core/model-flow.ts';
import type { QueryLedger } from '../ports/embedding-service.ts';
import type { Clock } from '../ports/process.ts';
import type { Coverage, GoldenStore, GoldenVectors } from '../ports/report-store.ts';
import type { RowsOperator } from '../ports/rows-operator.ts';
import { operateEmbedded, operateOpened } from './page-operator.ts';
import { documentsEmbedded, documentsOpened, type ServeDocuments } from './served-documents.ts';
import { type ServeSearch, searchEmbedded, searchOpened, takeTurns } from './served-search.ts';
import {
  chooseDatabase,
  type Environment,
  type LoadedConfig,
  type Workspace,
  type WorkspaceRequest,
  withWorkspace,
} from './workspace.ts';

/** What the embedding service knows of the rows whose model it serves. */
export interface ServedRows {
  /** The recorded vectors of the models, which are only compared with. */
  readonly golden: GoldenStore;
  /** How far the rows are embedded, measured at most once a minute. */
  readonly readProgress: () => readonly Coverage[];
  /** How the work of the models flows, measured as often. */
  readonly readFlows: () => readonly ModelFlow[];
  readonly serveSearch: ServeSearch;
  readonly serveDocuments: ServeDocuments;
  /** Where is entered what clients' vectors cost, and how many milliseconds apart. */
  readonly queries: QueryLedger;
  readonly queriesEveryMs: number;
  /** What the page asks of the rows. */
  readonly operator: RowsOperator;
}

interface Served {
  readonly request: WorkspaceRequest;
  readonly loaded: LoadedConfig;
  readonly environment: Environment;
  /** Ends the service. */
  readonly signal: AbortSignal;
}

const MEASURE_EVERY_MS = 60_000;
/** What a process that is killed has not entered is lost. */
const ENTER_EVERY_MS = 5000;
/** An embedded database is opened for it. */
const ENTER_EMBEDDED_EVERY_MS = 60_000;

/**
 * Lets `use` serve beside the rows, and closes the database in any case.
 * A server's database stays open. The embedded one is for one process at a time: it is read once
 * and closed, so that a run can have it. Where there is none yet, nothing is compared with.
 */
export async function withServedRows(
  { request, loaded, environment, signal }: Served,
  clock: Clock,
  use: (rows: ServedRows) => Promise<void>,
): Promise<void> {
  const { config, demo } = loaded;
  const { directory } = request;
  const place = chooseDatabase({ flag: request.databaseUrl, environment, config, demo, directory });
  if (place.kind === 'url')
    return withWorkspace(request, async workspace => {
      const golden = await readGolden(workspace);
      const measure = measureRows(workspace, clock);
      const readProgress = () => measure().coverages;
      const readFlows = () => measure().flows;
      const serveSearch = searchOpened(workspace);
      const serveDocuments = documentsOpened(workspace, clock, signal);
      const operator = operateOpened(workspace);
      const queries = createQueryLedger(workspace.database);
      const entered = { queries, queriesEveryMs: ENTER_EVERY_MS };
      await use({ golden, readProgress, readFlows, serveSearch, serveDocuments, operator, ...entered });
    });
  const golden = await withWorkspace(request, readGolden).catch((error: unknown) => {
    if (!(error instanceof UsageError)) throw error;
    const isInUse = error instanceof DirectoryInUseError;
    if (isInUse)
      request.onNotice?.(
        'Another process has the embedded database: vectors are not compared with recorded ones.',
      );
    return recallGolden(new Map());
  });
  const inTurn = takeTurns();
  const operator = operateEmbedded(
    { ...request, signal, onNotice: () => undefined },
    place.directory,
    inTurn,
  );
  await use({
    golden,
    readProgress: () => [],
    readFlows: () => [],
    serveSearch: searchEmbedded(
      request,
      config.sources.map(({ name }) => name),
      inTurn,
      operator.ask,
    ),
    serveDocuments: documentsEmbedded(request, config, inTurn),
    queries: {
      enter: entries =>
        inTurn(() => withWorkspace(request, ({ database }) => createQueryLedger(database).enter(entries))),
    },
    queriesEveryMs: ENTER_EMBEDDED_EVERY_MS,
    operator,
  });
}

/** Reads the golden vectors of the models; none where the database has no schema `freshet` yet. */
async function readGolden({ config, database }: Workspace): Promise<GoldenStore> {
  const store = createGoldenStore(database);
  const records = new Map<string, GoldenVectors>();
  for (const alias of usedAliases(config)) {
    const key = goldenKeyOf(config.models[alias]!);
    const record = await store.find(key).catch((error: unknown) => {
      if (error instanceof FreshetError && /42P01|3F000/.test(error.code)) return undefined;
      throw error;
    });
    if (record !== undefined) records.set(key.modelFingerprint, record);
  }
  return recallGolden(records);
}

/** A store of records that were read before. A service records nothing: it only compares. */
function recallGolden(records: ReadonlyMap<string, GoldenVectors>): GoldenStore {
  return {
    find: async ({ modelFingerprint }) => records.get(modelFingerprint),
    insert: async () => undefined,
    confirm: async () => undefined,
  };
}

interface MeasuredRows {
  readonly coverages: readonly Coverage[];
  readonly flows: readonly ModelFlow[];
}

/**
 * Gives what was measured last, and measures in the background what is older than a minute.
 * Whoever scrapes the numbers never waits for a statement that reads a whole table.
 */
function measureRows(workspace: Workspace, clock: Clock): () => MeasuredRows {
  let measured: MeasuredRows = { coverages: [], flows: [] };
  let measuredAtMs = Number.NEGATIVE_INFINITY;
  let isMeasuring = false;
  const measure = async () => {
    const spaces = await (await openSpaces(workspace.database, workspace.config)).list();
    const reports = createReportStore(workspace.database);
    const coverages: Coverage[] = [];
    for (const space of spaces) coverages.push(await reports.readCoverage(space));
    measured = { coverages, flows: await reports.readFlows(spaces) };
  };
  return () => {
    if (!isMeasuring && clock.now() - measuredAtMs >= MEASURE_EVERY_MS) {
      isMeasuring = true;
      measuredAtMs = clock.now();
      void measure()
        // The numbers stay as they were: the service itself needs no database.
        .catch(() => undefined)
        .finally(() => {
          isMeasuring = false;
        });
    }
    return measured;
  };
}
