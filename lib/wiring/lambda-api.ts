import { createApp } from '../adapters/api/create-app.ts';
import { createDeployedMetrics } from '../adapters/api/deployed-metrics.ts';
import {
  type AnswerEvent,
  answerGatewayEvents,
  answerRefusal,
  createGatewayTokenCheck,
  MAX_ANSWER_NUMBERS,
} from '../adapters/api/gateway.ts';
import type { startNudged } from '../adapters/aws/start-nudged.ts';
import { isReachable, type SqlDatabase } from '../adapters/sql/database.ts';
import { createTokenizer } from '../adapters/tokenizer.ts';
import { suggestNearest } from '../core/config/describe-issues.ts';
import { usedAliases } from '../core/config/pipeline-config.ts';
import { serviceSection } from '../core/config/service-schema.ts';
import { ServiceRefusal } from '../core/service-refusal.ts';
import { sha256Hex } from '../core/text.ts';
import { refuseUnknownSource } from '../pipeline/search/prepare-search.ts';
import { createNudgeWindow } from '../pipeline/serve/nudge-gate.ts';
import { createEmbeddingService } from '../pipeline/serve/serve-embeddings.ts';
import type { EmbeddingService } from '../ports/embedding-service.ts';
import type { Logger, Metrics } from '../ports/process.ts';
import type { SearchService } from '../ports/search.ts';
import { readLambdaDependencies, type Wired, wireLambda } from './lambda.ts';
import { createLambdaProviders } from './lambda-clients.ts';
import { type LambdaPorts, readLambdaPorts } from './lambda-ports.ts';
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

/**
 * Wires the embedding service of a deployment.
 * Nothing but files is opened before a client searches: texts are embedded while the database is
 * away. The models are warm by definition: the migration has compared their golden vectors.
 */
export async function wireApi(dependencies = readLambdaDependencies()): Promise<Wired<ApiHandlerPorts>> {
  return wireLambda('api', dependencies, async () => {
    const ports = await readLambdaPorts('api', dependencies);
    const { config, settings, secrets, clock, logger, metrics, randomness, tracer } = ports;
    const { limits } = config.service ?? serviceSection.parse({});
    const models = usedAliases(config).map(alias => config.models[alias]!);
    const providerOf = await createLambdaProviders(settings, config, secrets, clock);
    const observer = createDeployedMetrics(metrics, models);
    const seconds = Math.min(limits.timeoutSeconds, LONGEST_REQUEST_SECONDS);
    const service = createEmbeddingService(
      {
        providers: new Map(models.map(({ alias }) => [alias, providerOf(alias)])),
        ...{ tokenizer: createTokenizer(), clock, randomness, observer, tracer },
      },
      models,
      {
        workers: config.limits.concurrency,
        maxTextsPerCall: config.limits.batchSize,
        maxTokensPerCall: limits.batchTokens,
        queueTokens: limits.queueTokens,
        cacheBytes: limits.cacheBytes,
        deadlineMs: seconds * 1000,
        callMs: Math.min(config.limits.timeoutSeconds, seconds) * 1000,
      },
    );
    for (const { alias } of models) service.warmed(alias, undefined);
    const { FRESHET_DEPLOYMENT = '' } = dependencies.variables;
    const rows = searchLazily(ports, service, Buffer.from(sha256Hex(FRESHET_DEPLOYMENT), 'hex'));
    const app = createApp(
      {
        ...{ service, clock, logger, metrics: observer, search: rows.search, tracer },
        verifyToken: createGatewayTokenCheck(settings.claims),
        nudge: createNudge(ports),
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
      ports: { answer: answerGatewayEvents(app), metrics, logger, answerLate },
      isAlive: rows.isAlive,
      close: rows.close,
    };
  });
}

/** Starts `detect` for applications. Undefined: the stage is paused, and takes no nudges. */
function createNudge({ settings, config, clock, logger }: LambdaPorts) {
  const { detectFunction, region } = settings;
  if (detectFunction === undefined) return undefined;
  let client: Parameters<typeof startNudged>[0] | undefined;
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
 * Searches over a database that is opened by the first search.
 * @param cursorKey the same in all environments of a version, as any of them answers the next page.
 *   It finds slips: who forged a cursor would see another page of the same search and tenant
 */
function searchLazily(
  { config, clock, openDatabase, tracer }: LambdaPorts,
  service: EmbeddingService,
  cursorKey: Buffer,
) {
  const names = config.sources.map(({ name }) => name);
  let opened: SqlDatabase | undefined;
  let opening: Promise<SearchService> | undefined;
  const open = async (): Promise<SearchService> => {
    const database = await openDatabase();
    opened = database;
    // A function has no variables of the team's: synth refuses what would need one.
    const environment = { variables: {} };
    return openSearch({ database, config, environment }, searchByService(service, cursorKey), tracer);
  };
  const ask = async <Answer>(source: string, use: (search: SearchService) => Promise<Answer>) => {
    if (!names.includes(source)) refuseUnknownSource(source, names, suggestNearest);
    opening ??= open().catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return use(await opening);
  };
  const search: SearchService = {
    search: (...asked) => ask(asked[0].source, found => found.search(...asked)),
    explain: (...asked) => ask(asked[0].source, found => found.explain(...asked)),
  };
  return {
    search,
    isAlive: async () => opened === undefined || isReachable(opened, clock),
    close: async () => opened?.close(),
  };
}
