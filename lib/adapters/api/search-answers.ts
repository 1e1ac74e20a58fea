import type * as z from 'zod';
import { FreshetError, UsageError } from '../../core/errors.ts';
import { ServiceRefusal } from '../../core/service-refusal.ts';
import type { Logger } from '../../ports/process.ts';
import type { SearchCaller, SearchService } from '../../ports/search.ts';
import type { SearchResponseBody, searchRequest } from './schemas.ts';
import type { TokenIdentity } from './verify-tokens.ts';

const RETRY_SECONDS = 5;

/** Answers `POST /v1/search`; the tenant comes from the verified token and from nowhere else. */
export async function answerSearch(
  { search, logger }: { readonly search: SearchService; readonly logger: Logger },
  body: z.output<typeof searchRequest>,
  identity: TokenIdentity | undefined,
  signal: AbortSignal,
): Promise<SearchResponseBody> {
  const { min_score: minScore, ...request } = body;
  const caller: SearchCaller = { kind: 'client', tenant: identity?.tenant, claims: identity?.claims };
  try {
    const { hits, degraded, ...answer } = await search.search({ ...request, minScore }, caller, signal);
    return { ...answer, hits: [...hits], degraded: [...degraded] };
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof FreshetError)) throw error;
    // What a configuration or a database lacks is for whoever runs the service.
    logger.error('search-failed', { reason: error.message });
    throw new ServiceRefusal(
      'not_ready',
      'The source cannot be searched now: the log of the service says why.',
      { retryAfterSeconds: RETRY_SECONDS },
    );
  }
}
