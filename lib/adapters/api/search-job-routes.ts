import type { Context } from 'hono';
import { SEARCH_JOB_PREFIX } from '../../core/service-routes.ts';
import type { SearchJob, SearchJobs } from '../../ports/search.ts';
import type { ApiItems } from './create-app.ts';
import { readJson, requireScope } from './guard-requests.ts';
import { readBody } from './read-body.ts';
import { type SearchJobResponseBody, searchJobRequest } from './schemas.ts';
import { toCaller, toSearchRequest } from './search-answers.ts';

/** Makes what answers clients that let a search run and fetch what it found later. */
export function createSearchJobRoutes(
  jobs: Pick<SearchJobs, 'submit' | 'find'>,
  { maxBodyBytes }: { readonly maxBodyBytes: number },
): ApiItems {
  return {
    mount(app, identify) {
      app.post('/v1/jobs/search', async context => {
        const request = context.req.raw;
        const body = readBody(searchJobRequest, await readJson(request, maxBodyBytes));
        const job = jobs.submit(toSearchRequest(body), toCaller(identify(request)));
        return context.json(toSearchJobBody(job), 202);
      });
      const answer = (context: Context, jobId: string) =>
        context.json(toSearchJobBody(jobs.find(jobId, toCaller(identify(context.req.raw)))));
      app.get('/v1/jobs/search/:job_id', context => answer(context, context.req.param('job_id')));
      app.get('/v1/jobs/:job_id', async (context, next) => {
        const jobId = context.req.param('job_id');
        if (!jobId.startsWith(SEARCH_JOB_PREFIX)) return next();
        const identity = identify(context.req.raw);
        if (identity !== undefined) requireScope(identity, ['search']);
        return answer(context, jobId);
      });
    },
  };
}

function toSearchJobBody(job: SearchJob): SearchJobResponseBody {
  const { jobId, status, createdAtMs, expiresAtMs, failure, result } = job;
  return {
    ...{ job_id: jobId, status, failure },
    created_at: new Date(createdAtMs).toISOString(),
    expires_at: new Date(expiresAtMs).toISOString(),
    result: result && { ...result, hits: [...result.hits], degraded: [...result.degraded] },
  };
}
