import { createApp } from '../adapters/api/create-app.ts';
import { createDeployedMetrics } from '../adapters/api/deployed-metrics.ts';
import {
  type AnswerEvent,
  answerGatewayEvents,
  answerRefusal,
  CARRIED_IDS,
  createGatewayTokenCheck,
  MAX_ANSWER_NUMBERS,
} from '../adapters/api/gateway.ts';
import { createItems } from '../adapters/api/item-routes.ts';
import { isReachable, type SqlDatabase } from '../adapters/sql/database.ts';
import { createQueryLedger } from '../adapters/sql/query-ledger.ts';
import { createTokenizer } from '../adapters/tokenizer.ts';
import { suggestNearest } from '../core/config/describe-issues.ts';
import { usedAliases } from '../core/config/pipeline-config.ts';
import { serviceSection } from '../core/config/service-schema.ts';
import { RESULT_DAYS } from '../core/documents.ts';
import { ServiceRefusal } from '../core/service-refusal.ts';
import { sha256Hex } from '../core/text.ts';
import { refuseUnknownSource } from '../pipeline/search/prepare-search.ts';
import { createNudgeWindow } from '../pipeline/serve/nudge-gate.ts';
import { createQueryRecorder, type QueryRecorder } from '../pipeline/serve/record-queries.ts';
import { createEmbeddingService } from '../pipeline/serve/serve-embeddings.ts';
import type { DocumentService } from '../ports/documents.ts';
import type { EmbeddingService, QueryLedger } from '../ports/embedding-service.ts';
import type { Clock, Logger, Metrics } from '../ports/process.ts';
import type { SearchService } from '../ports/search.ts';
import { type LambdaDependencies, readLambdaDependencies, type Wired, wireLambda } from './lambda.ts';
import { createLambdaProviders } from './lambda-clients.ts';
import { type LambdaPorts, readLambdaPorts } from './lambda-ports.ts';
import { openDocuments } from './open-documents.ts';
import { openSearch, searchByService } from './open-search.ts';

/** What the handler of the service needs. */
export interface ApiHandlerPorts {
  readonly answer: AnswerEvent;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** The answer to a request that was not answered before the function's time was over. */
  readonly answerLate: () => Awaited<ReturnType<AnswerEvent>>;
}

/**
 * Seconds until a request is answered with `deadline`, at most.
 * An API waits 29 seconds for a function, and a cold one takes a few of them to begin.
 */
const LONGEST_REQUEST_SECONDS = 24;

/** Milliseconds that an answer waits until the database has taken what it cost. */
const RECORD_MS = 3000;

/** Milliseconds that the answer to a text waits until a look of `detect` is started, at most. */
const NUDGE_MS = 2000;

/**
 * Wires the embedding service of a deployment.
 * The database is opened for searches, and for what calls cost where they cost anything: texts are
 * embedded while it is away. The models are warm by definition: the migration has compared their
 * golden vectors.
 */
export async function wireApi(dependencies = readLambdaDependencies()): Promise<Wired<ApiHandlerPorts>> {
  return wireLambda('api', dependencies, async () => {
    const ports = await readLambdaPorts('api', dependencies);
    const { config, settings, secrets, clock, logger, metrics, randomness, tracer } = ports;
    const { limits } = config.service ?? serviceSection.parse({});
    const models = usedAliases(config).map(alias => config.models[alias]!);
    const providerOf = await createLambdaProviders(settings, config, secrets, clock);
    const observer = createDeployedMetrics(metrics);
    const seconds = Math.min(limits.timeoutSeconds, LONGEST_REQUEST_SECONDS);
    const database = keepOpen(ports);
    const ledger: QueryLedger = {
      enter: async entries => createQueryLedger(await database.open()).enter(entries),
    };
    const queries = createQueryRecorder({ ledger, clock, randomness, logger });
    const service = createEmbeddingService(
      {
        providers: new Map(models.map(({ alias }) => [alias, providerOf(alias)])),
        ...{ tokenizer: createTokenizer(), clock, randomness, observer, queries, tracer },
      },
      models,
      {
        workers: config.limits.concurrency,
        maxTextsPerCall: config.limits.batchSize,
        maxTokensPerCall: limits.batchTokens,
        queueTokens: limits.queueTokens,
        // A request of one client at a time waits for nobody.
        queueMs: seconds * 1000,
        cacheBytes: limits.cacheBytes,
        deadlineMs: seconds * 1000,
        callMs: Math.min(config.limits.timeoutSeconds, seconds) * 1000,
      },
    );
    for (const { alias } of models) service.warmed(alias, undefined);
    const { FRESHET_DEPLOYMENT = '' } = dependencies.variables;
    const cursorKey = Buffer.from(sha256Hex(FRESHET_DEPLOYMENT), 'hex');
    const nudge = createNudge(ports, dependencies.lambda);
    // A text is kept whether or not somebody looks soon: the schedule finds it too.
    const nudged = () =>
      waitAtMost(
        NUDGE_MS,
        nudge?.nudge().catch(() => undefined),
        clock,
      );
    const app = createApp(
      {
        ...{ service, clock, logger, metrics: observer, tracer },
        search: searchLazily(ports, database, service, cursorKey),
        items: keepDocuments(ports, database, limits.bodyBytes, nudged),
        verifyToken: createGatewayTokenCheck(settings.claims),
        nudge,
      },
      {
        allowedHosts: undefined,
        maxBodyBytes: limits.bodyBytes,
        requestsPerMinute: limits.requestsPerMinute,
        maxAnswerNumbers: MAX_ANSWER_NUMBERS,
        tokensElsewhere: 'everywhere',
      },
    );
    const answerLate = () =>
      answerRefusal(new ServiceRefusal('deadline', 'The request was not answered in time.'));
    return {
      ports: { answer: recordFirst(answerGatewayEvents(app), queries, clock), metrics, logger, answerLate },
      // A connection that no longer answers is opened anew by itself; what was noted is kept.
      isAlive: async () => {
        await database.closeUnreachable();
        return true;
      },
      close: database.close,
    };
  });
}

/** Starts `detect` for applications. Undefined: the stage is paused, and takes no nudges. */
function createNudge({ settings, config, clock, logger }: LambdaPorts, lambda: LambdaDependencies['lambda']) {
  const { detectFunction, region } = settings;
  if (detectFunction === undefined) return undefined;
  let client = lambda;
  const start = async () => {
    const [{ startNudged }, { createLambdaClient }] = await Promise.all([
      import('../adapters/aws/start-nudged.ts'),
      import('../adapters/aws/event-sources.ts'),
    ]);
    client ??= createLambdaClient({ region });
    await startNudged(client, detectFunction);
  };
  return {
    sources: config.sources.map(({ name }) => name),
    nudge: createNudgeWindow(start, { clock, logger }),
  };
}

/**
 * Lets an answer wait until what it cost is entered, but not for ever.
 * Between requests the function is frozen, and may never be thawed. What the database does not take
 * in time is entered after the next request of this environment.
 */
function recordFirst(answer: AnswerEvent, queries: QueryRecorder, clock: Clock): AnswerEvent {
  return async (...request) => {
    const answered = await answer(...request);
    await waitAtMost(RECORD_MS, queries.write(), clock);
    return answered;
  };
}

/** Waits for what never rejects, but not for ever. */
async function waitAtMost(
  mostMs: number,
  awaited: Promise<unknown> | undefined,
  clock: Pick<Clock, 'sleep'>,
): Promise<void> {
  const isOver = new AbortController();
  await Promise.race([awaited, clock.sleep(mostMs, isOver.signal)]);
  isOver.abort('over');
}

interface KeptDatabase {
  readonly open: () => Promise<SqlDatabase>;
  /** Closes a database that does not answer, so that the next use opens it. Never rejects. */
  readonly closeUnreachable: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** A database that is opened by its first use. */
function keepOpen({ clock, openDatabase }: LambdaPorts): KeptDatabase {
  let opened: SqlDatabase | undefined;
  let opening: Promise<SqlDatabase> | undefined;
  const close = async () => {
    const database = opened;
    opened = undefined;
    opening = undefined;
    await database?.close();
  };
  return {
    open() {
      opening ??= openDatabase().then(
        database => {
          opened = database;
          return database;
        },
        (error: unknown) => {
          opening = undefined;
          throw error;
        },
      );
      return opening;
    },
    async closeUnreachable() {
      if (opened !== undefined && !(await isReachable(opened, clock))) close().catch(() => undefined);
    },
    close,
  };
}

/** Takes texts of clients, where the configuration has documents; `nudge` makes `detect` look. */
function keepDocuments(
  { config, logger }: LambdaPorts,
  kept: KeptDatabase,
  maxBodyBytes: number,
  nudge: () => Promise<void>,
) {
  const section = config.documents;
  if (section === undefined) return undefined;
  const open = async () => openDocuments({ database: await kept.open(), config }, section, nudge);
  const documents: DocumentService = {
    submit: async (...asked) => (await open()).submit(...asked),
    findJob: async (...asked) => (await open()).findJob(...asked),
    erase: async (...asked) => (await open()).erase(...asked),
    findReceipt: async (...asked) => (await open()).findReceipt(...asked),
  };
  return createItems(
    { documents, logger },
    { maxBodyBytes, resultDays: RESULT_DAYS, carriedIds: CARRIED_IDS },
  );
}

/**
 * Searches over a database that is opened by the first search.
 * @param cursorKey the same in all environments of a version, as any of them answers the next page.
 *   It finds slips: who forged a cursor would see another page of the same search and tenant
 */
function searchLazily(
  { config, tracer }: LambdaPorts,
  kept: KeptDatabase,
  service: EmbeddingService,
  cursorKey: Buffer,
): SearchService {
  const names = config.sources.map(({ name }) => name);
  let current: { readonly database: SqlDatabase; readonly search: SearchService } | undefined;
  const ask = async <Answer>(source: string, use: (search: SearchService) => Promise<Answer>) => {
    if (!names.includes(source)) refuseUnknownSource(source, names, suggestNearest);
    const database = await kept.open();
    if (current?.database !== database) {
      // A function has no variables of the team's: synth refuses what would need one.
      const environment = { variables: {} };
      const settings = searchByService(service, cursorKey);
      const search = openSearch({ database, config, environment }, settings, tracer);
      current = { database, search };
    }
    return use(current.search);
  };
  return {
    search: (...asked) => ask(asked[0].source, found => found.search(...asked)),
    explain: (...asked) => ask(asked[0].source, found => found.explain(...asked)),
  };
}
