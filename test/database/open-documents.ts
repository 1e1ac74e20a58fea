import { SignJWT } from 'jose';
import { createApp } from '../../lib/adapters/api/create-app.ts';
import { createItems } from '../../lib/adapters/api/item-routes.ts';
import { answerSearch } from '../../lib/adapters/api/search-answers.ts';
import { createSearchJobRoutes } from '../../lib/adapters/api/search-job-routes.ts';
import { createServiceMetrics } from '../../lib/adapters/api/service-metrics.ts';
import { createTokenCheck } from '../../lib/adapters/api/verify-tokens.ts';
import { createDocumentStore } from '../../lib/adapters/sql/document-store.ts';
import { ensureSpaces } from '../../lib/adapters/sql/ensure-spaces.ts';
import { migrate } from '../../lib/adapters/sql/migrations/migrate.ts';
import { createSystemClock, createSystemRandomness } from '../../lib/adapters/system.ts';
import { createTokenizer } from '../../lib/adapters/tokenizer.ts';
import type { FreshetConfig } from '../../lib/core/config/config-schema.ts';
import { suggestNearest } from '../../lib/core/config/describe-issues.ts';
import { usedAliases } from '../../lib/core/config/pipeline-config.ts';
import { createDocumentService } from '../../lib/pipeline/documents/keep-documents.ts';
import { createSearchJobs, forgetErased } from '../../lib/pipeline/serve/search-jobs.ts';
import { createEmbeddingService } from '../../lib/pipeline/serve/serve-embeddings.ts';
import type { Tracer } from '../../lib/ports/tracer.ts';
import { createLocalAccess, createProviders } from '../../lib/wiring/providers.ts';
import { searchOpened } from '../../lib/wiring/served-search.ts';
import { createRecordingLogger } from '../doubles/recording-logger.ts';
import { BOUNDS, expectDocumented } from '../serve/open-api.ts';
import { openTestWorkspace } from '../wiring/open-test-workspace.ts';

const MAX_BODY_BYTES = 2 * 1024 * 1024;
const SECRET = 'a shared secret of at least thirty-two bytes';
const tokens = {
  ...{ issuer: 'https://login.example.com/', audience: 'items', secret: { env: 'SECRET' } },
  claims: { tenant: 'tenant', scopes: 'scope' },
};

export interface Answer {
  readonly status: number;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: what a test reads of an answer is said by what it expects.
  readonly json: any;
}

/** The service with its documents, as `freshet serve` makes it, over a test database, and runs beside it. */
export async function openDocuments(
  documents: Partial<NonNullable<FreshetConfig['documents']>> = {},
  tracer?: Tracer,
) {
  const opened = await openTestWorkspace({
    sources: [],
    models: { second: { provider: 'hash', modelId: 'hash', dimensions: 8 } },
    documents: {
      model: 'static',
      filters: [{ key: 'metadata.language', type: 'text' }],
      ...documents,
    },
  });
  const { workspace, database } = opened;
  const { config } = workspace;
  await migrate(database);
  const spaces = await ensureSpaces(database, config);
  const section = config.documents!;
  const store = createDocumentStore(database, config);
  const clock = createSystemClock();
  const logger = createRecordingLogger();
  const metrics = createServiceMetrics(() => []);
  const service = createEmbeddingService(
    {
      providers: await createProviders(config, createLocalAccess(workspace.environment), clock),
      ...{ tokenizer: createTokenizer(), clock, observer: metrics, tracer },
      queries: { called: () => undefined },
      randomness: { fraction: () => 0, identifier: () => 'id' },
    },
    usedAliases(config).map(alias => config.models[alias]!),
    BOUNDS,
  );
  for (const { alias } of service.models) service.warmed(alias, undefined);
  let nudges = 0;
  const given = createDocumentService({
    ...{ store, models: section.model, filters: section.filters, keepsText: section.keepText },
    suggest: suggestNearest,
    nudge: () => {
      nudges += 1;
    },
  });
  const search = searchOpened(workspace)(service, tracer);
  const randomness = createSystemRandomness();
  const jobs = createSearchJobs({
    search: (...asked) => answerSearch({ search, logger }, ...asked),
    ...{ clock, randomness, logger, claimPaths: [], signal: new AbortController().signal },
  });
  const app = createApp(
    {
      ...{ service, clock, logger, metrics, tracer },
      verifyToken: await createTokenCheck(tokens, { SECRET }),
      search,
      searchJobs: createSearchJobRoutes(jobs, { maxBodyBytes: MAX_BODY_BYTES }),
      items: createItems(
        { documents: forgetErased(given, jobs)!, logger },
        { maxBodyBytes: MAX_BODY_BYTES, resultDays: undefined },
      ),
    },
    { allowedHosts: new Set(), maxBodyBytes: MAX_BODY_BYTES },
  );
  const ask = async (
    authorization: string | undefined,
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> => {
    const response = await app.request(`http://localhost${path}`, {
      method,
      headers: {
        'content-type': 'application/json',
        ...(authorization && { authorization }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    expectDocumented(path, method, response.status, text);
    return { status: response.status, text, json: JSON.parse(text) };
  };
  /** What a client with a token of the tenant asks. */
  const as = async (tenant: string | undefined, scope = 'write search embed') => {
    const token = await new SignJWT({ ...(tenant !== undefined && { tenant }), scope })
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuer(tokens.issuer)
      .setAudience(tokens.audience)
      .setExpirationTime('1h')
      .sign(new TextEncoder().encode(SECRET));
    const authorization = `Bearer ${token}`;
    return {
      post: (path: string, body: unknown) => ask(authorization, 'POST', path, body),
      get: (path: string) => ask(authorization, 'GET', path),
      erase: (path: string) => ask(authorization, 'DELETE', path),
      embed: (segment: string, text: string, metadata: object = {}) =>
        ask(authorization, 'POST', '/v1/vectors/embed', {
          ...{ asset_id: 'book', segment_id: segment, text, metadata },
        }),
      search: (query: string, rest: object = {}, headers?: Readonly<Record<string, string>>) =>
        ask(authorization, 'POST', '/v1/search', { source: 'documents', query, ...rest }, headers),
    };
  };
  return { ...opened, config, spaces, store, logger, ask, as, nudges: () => nudges };
}

export type Documents = Awaited<ReturnType<typeof openDocuments>>;
