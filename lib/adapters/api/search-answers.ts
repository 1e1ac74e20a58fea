import type * as z from 'zod';
import { FreshetError, UsageError } from '../../core/errors.ts';
import { ServiceRefusal } from '../../core/service-refusal.ts';
import type { Logger } from '../../ports/process.ts';
import type { SearchAnswer, SearchCaller, SearchRequest, SearchService } from '../../ports/search.ts';
import type { searchRequest } from './schemas.ts';
import type { TokenIdentity } from './verify-tokens.ts';

const RETRY_SECONDS = 5;

/** Reads the body of a search as what is searched for. */
export function toSearchRequest({
  min_score: minScore,
  ...request
}: Omit<z.output<typeof searchRequest>, 'cursor'> & { readonly cursor?: string | undefined }): SearchRequest {
  return { ...request, minScore };
}

/** The tenant comes from the verified token and from nowhere else. */
export function toCaller(identity: TokenIdentity | undefined): SearchCaller {
  return { kind: 'client', tenant: identity?.tenant, claims: identity?.claims };
}

/** Answers a search, whoever asks: a client, a job of hers, or a person at the page. */
export async function answerSearch(
  { search, logger }: { readonly search: SearchService; readonly logger: Logger },
  request: SearchRequest,
  caller: SearchCaller,
  signal: AbortSignal,
): Promise<SearchAnswer> {
  try {
    return await search.search(request, caller, signal);
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof FreshetError)) throw error;
    if (error instanceof UsageError && caller.kind === 'operator')
      throw new ServiceRefusal('invalid_request', [error.message, error.remedy].filter(Boolean).join(' '));
    // What a configuration or a database lacks is for whoever runs the service.
    logger.error('search-failed', { reason: error.message });
    throw new ServiceRefusal(
      'not_ready',
      'The source cannot be searched now: the log of the service says why.',
      { retryAfterSeconds: RETRY_SECONDS },
    );
  }
}
