import { createHash, createSecretKey } from 'node:crypto';
import { createQueryLedger } from '../adapters/sql/query-ledger.ts';
import { createSearchStore } from '../adapters/sql/search-store.ts';
import { createSystemClock, createSystemRandomness } from '../adapters/system.ts';
import { suggestNearest } from '../core/config/describe-issues.ts';
import { FreshetError, UsageError } from '../core/errors.ts';
import { type ModelDefinition, modelForRole } from '../core/model.ts';
import { estimateTokens } from '../core/packing.ts';
import { requireVectors, UNKNOWN_WORDS_CODE } from '../core/reply.ts';
import { ServiceRefusal } from '../core/service-refusal.ts';
import { rememberCoverage } from '../pipeline/search/coverage-memory.ts';
import { createSearchService } from '../pipeline/search/search-rows.ts';
import { traceRerankers, traceSearch, traceStore } from '../pipeline/search/trace-search.ts';
import type { EmbeddingService } from '../ports/embedding-service.ts';
import type {
  SearchAnswer,
  SearchCaller,
  SearchPlan,
  SearchRequest,
  SearchService,
} from '../ports/search.ts';
import type { Tracer } from '../ports/tracer.ts';
import { createLocalAccess, createProviders } from './providers.ts';
import { createRerankers } from './rerankers.ts';
import type { Workspace } from './workspace.ts';

/** How an open workspace is searched. */
interface SearchSettings {
  /** Embeds a text as a query; the vector is float32, little-endian. */
  readonly embedQuery: (model: ModelDefinition, text: string, signal: AbortSignal) => Promise<Buffer>;
  readonly cursorKey: Buffer;
  /** Milliseconds that a search waits for a measurement of coverage, where it waits for one. */
  readonly coverageWaitMs: number;
}

interface OpenedRows extends Pick<Workspace, 'database' | 'config'> {
  readonly environment: Pick<Workspace['environment'], 'variables'>;
}

/**
 * Opens the search over the rows of a workspace's sources.
 * @param tracer undefined: nobody traces
 */
export function openSearch(
  { database, config, environment }: OpenedRows,
  { embedQuery, cursorKey, coverageWaitMs }: SearchSettings,
  tracer?: Tracer,
): SearchService {
  const clock = createSystemClock();
  const plain = createSearchStore(database, config, clock);
  const store = tracer === undefined ? plain : traceStore(plain, tracer);
  const rerankers = createRerankers(config, environment, clock);
  const service = createSearchService({
    ...{ store, embedQuery, clock, cursorKey: createSecretKey(cursorKey), suggest: suggestNearest },
    rerankers: tracer === undefined ? rerankers : traceRerankers(rerankers, tracer),
    readCoverage: rememberCoverage(store, clock, coverageWaitMs),
  });
  return tracer === undefined ? service : traceSearch(service, tracer);
}

/** A client waits for hits, and hardly for the numbers beside them. */
const CLIENT_WAITS_MS = 250;

/** How clients search: the service embeds their texts. */
export function searchByService(service: EmbeddingService, cursorKey: Buffer): SearchSettings {
  return {
    cursorKey,
    coverageWaitMs: CLIENT_WAITS_MS,
    async embedQuery({ alias }, text, signal) {
      const model = service.models.find(each => each.alias === alias)!;
      const asked = { model, texts: [text], role: 'query', truncate: true, signal } as const;
      const reply = await service.embed(asked).catch((error: unknown) => {
        throw nameQuery(error);
      });
      return reply.vectors[0]!;
    },
  };
}

/** A search has one text, which its client calls `query`. */
function nameQuery(error: unknown): unknown {
  if (!(error instanceof ServiceRefusal) || error.param !== '0') return error;
  const message = error.message
    .replace(/\bText 0\b/, 'The query')
    .replace('text 0 of the request', 'the query');
  return new ServiceRefusal(error.code, message, { param: 'query' });
}

/** A person has asked, and waits this long for the numbers beside the hits. */
const PERSON_WAITS_MS = 2000;

type Providers = ReturnType<typeof createProviders>;

const ownProviders = new WeakMap<Workspace, Providers>();

/**
 * The providers of a person's searches, the same for all searches of one open workspace.
 * A run that watches answers them for days, and a provider has connections or a process.
 */
function openOwnProviders(workspace: Workspace): Providers {
  const opened = ownProviders.get(workspace);
  if (opened !== undefined) return opened;
  const { config, environment } = workspace;
  const providers = createProviders(config, createLocalAccess(environment), createSystemClock());
  ownProviders.set(workspace, providers);
  // What is wrong may be mended before the next search.
  providers.catch(() => ownProviders.delete(workspace));
  return providers;
}

/** Opens the search of a person, whose text the model's provider embeds without a service. */
function openOwnSearch(workspace: Workspace): SearchService {
  const { config, database } = workspace;
  return openSearch(workspace, {
    coverageWaitMs: PERSON_WAITS_MS,
    // Whoever opens this database may read all of it: the code in a cursor finds slips alone.
    cursorKey: createHash('sha256').update(database.displayName).digest(),
    async embedQuery(model, text) {
      // What is wrong with a provider is told to whoever searches by a text, and to nobody else.
      const providers = await openOwnProviders(workspace);
      const reply = await providers.get(model.alias)!.embed({
        texts: [model.queryPrefix + text],
        role: 'query',
        deadlineMs: config.limits.timeoutSeconds * 1000,
      });
      await enterQuery(workspace, model, reply.tokens ?? estimateTokens(model.queryPrefix + text));
      const asked = modelForRole(model, 'query');
      return requireKnownWords(model, () => requireVectors(reply, asked, 1)[0]!);
    },
  });
}

/** Enters what a query cost. Who may only read has it all the same, and no entry. */
async function enterQuery({ database }: Workspace, model: ModelDefinition, tokens: number): Promise<void> {
  const costUsd = (tokens * model.usdPerMillionTokens) / 1e6;
  if (costUsd <= 0) return;
  const entry = {
    entryId: createSystemRandomness().identifier(),
    modelAlias: model.alias,
    calls: 1,
    texts: 1,
  };
  try {
    await createQueryLedger(database).enter([{ ...entry, tokens, costUsd }]);
  } catch (error) {
    if (!(error instanceof FreshetError)) throw error;
  }
}

/** Turns the refusal of a text without a known word into what the person who typed it can do. */
function requireKnownWords<Value>({ alias }: ModelDefinition, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof FreshetError) || error.code !== UNKNOWN_WORDS_CODE) throw error;
    throw new UsageError(
      `The model ${alias} knows no word of what you search for, and no word of it is guessed.`,
      'Search with words of the language that the model knows, or name another model in the configuration.',
    );
  }
}

/** What a person asks for; without a source, the first one of the configuration is searched. */
export type OwnSearch = Omit<SearchRequest, 'source' | 'mode'> & {
  readonly source?: string | undefined;
  readonly mode?: SearchRequest['mode'] | undefined;
  /** Rows of this tenant alone. Undefined: of every tenant. */
  readonly tenant?: string | undefined;
};

const never = new AbortController().signal;

/**
 * Searches as a person who has the database.
 * @throws UsageError where the request is at fault
 */
export async function searchAsOperator(workspace: Workspace, asked: OwnSearch): Promise<SearchAnswer> {
  return asOperator(workspace, asked, (service, request, caller) => service.search(request, caller, never));
}

/** Tells how that search is done; as `searchAsOperator`. */
export async function explainAsOperator(workspace: Workspace, asked: OwnSearch): Promise<SearchPlan> {
  return asOperator(workspace, asked, (service, request, caller) => service.explain(request, caller, never));
}

async function asOperator<Answer>(
  workspace: Workspace,
  { source, mode, tenant, ...rest }: OwnSearch,
  ask: (service: SearchService, request: SearchRequest, caller: SearchCaller) => Promise<Answer>,
): Promise<Answer> {
  const [first] = workspace.config.sources;
  const request = { ...rest, source: source ?? first!.name, mode: mode ?? 'semantic' };
  try {
    return await ask(openOwnSearch(workspace), request, { kind: 'operator', tenant });
  } catch (error) {
    throw error instanceof ServiceRefusal ? new UsageError(error.message) : error;
  }
}
