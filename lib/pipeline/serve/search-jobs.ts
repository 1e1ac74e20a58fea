import { pickClaims } from '../../core/claims.ts';
import { describeUnexpected } from '../../core/errors.ts';
import { ServiceRefusal } from '../../core/service-refusal.ts';
import { SEARCH_JOB_PREFIX } from '../../core/service-routes.ts';
import { sha256Hex } from '../../core/text.ts';
import type { DocumentService } from '../../ports/documents.ts';
import type { Clock, Logger, Randomness } from '../../ports/process.ts';
import type { SearchAnswer, SearchCaller, SearchJob, SearchJobs, SearchRequest } from '../../ports/search.ts';

interface SearchJobPorts {
  readonly search: (
    request: SearchRequest,
    caller: SearchCaller,
    signal: AbortSignal,
  ) => Promise<SearchAnswer>;
  readonly clock: Clock;
  readonly randomness: Pick<Randomness, 'identifier'>;
  readonly logger: Logger;
  /** The claims that decide what a search sees, beside the tenant. */
  readonly claimPaths: readonly string[];
  /** Ends the service, and the searches under way. */
  readonly signal: AbortSignal;
}

const KEPT_MS = 24 * 3_600_000;
/** Searches at once: they are heavy, and others wait for an answer. */
const AT_ONCE = 2;
/** Jobs of one owner that have not ended. */
const UNENDED_OF_ONE = 20;
const RETRY_SECONDS = 5;
/** Jobs that are remembered, and bytes of their answers as JSON; the oldest ones go first. */
const KEPT_JOBS = 10_000;
const KEPT_BYTES = 64 * 1024 * 1024;

interface HeldJob extends SearchJob {
  readonly owner: string;
  readonly tenant: string | undefined;
  readonly bytes: number;
}

/**
 * Runs searches as jobs, two at a time, those of owners with none under way first.
 * The owner is the tenant with the claims that row-level security reads, so that nobody reads an
 * answer that a search of her own would not have given.
 */
export function createSearchJobs(ports: SearchJobPorts): SearchJobs {
  const { clock, claimPaths, signal } = ports;
  const jobs = new Map<string, HeldJob>();
  const waiting: { readonly jobId: string; readonly run: () => Promise<Partial<HeldJob>> }[] = [];
  let running = 0;

  const ownerOf = ({ tenant, claims }: SearchCaller) =>
    sha256Hex(JSON.stringify([tenant ?? null, pickClaims(claims, claimPaths)]));
  const change = (jobId: string, changes: Partial<HeldJob>) => {
    const job = jobs.get(jobId);
    if (job !== undefined) jobs.set(jobId, { ...job, ...changes });
  };
  const drop = () => {
    const nowMs = clock.now();
    for (const { jobId, expiresAtMs } of jobs.values()) if (expiresAtMs <= nowMs) jobs.delete(jobId);
    let bytes = [...jobs.values()].reduce((sum, job) => sum + job.bytes, 0);
    for (const job of jobs.values()) {
      if (bytes <= KEPT_BYTES && jobs.size <= KEPT_JOBS) return;
      if (job.status === 'pending' || job.status === 'running') continue;
      bytes -= job.bytes;
      jobs.delete(job.jobId);
    }
  };
  const isBusy = (jobId: string) => {
    const owner = jobs.get(jobId)?.owner;
    return [...jobs.values()].some(job => job.owner === owner && job.status === 'running');
  };
  const runNext = () => {
    if (running >= AT_ONCE || waiting.length === 0) return;
    const place = Math.max(
      0,
      waiting.findIndex(({ jobId }) => !isBusy(jobId)),
    );
    const [{ jobId, run }] = waiting.splice(place, 1) as [(typeof waiting)[number]];
    running += 1;
    change(jobId, { status: 'running' });
    void run().then(ended => {
      running -= 1;
      change(jobId, ended);
      drop();
      runNext();
    });
  };

  return {
    submit(request, caller) {
      drop();
      const owner = ownerOf(caller);
      const unended = [...jobs.values()].filter(
        job => job.owner === owner && (job.status === 'pending' || job.status === 'running'),
      );
      if (unended.length >= UNENDED_OF_ONE || waiting.length >= KEPT_JOBS)
        throw new ServiceRefusal('rate_limited', 'Too many searches as jobs have not ended yet.', {
          retryAfterSeconds: RETRY_SECONDS,
        });
      const createdAtMs = clock.now();
      const job: HeldJob = {
        ...{
          jobId: `${SEARCH_JOB_PREFIX}${ports.randomness.identifier()}`,
          status: 'pending',
          owner,
          tenant: caller.tenant,
        },
        ...{ createdAtMs, expiresAtMs: createdAtMs + KEPT_MS, failure: null, result: null, bytes: 0 },
      };
      jobs.set(job.jobId, job);
      waiting.push({ jobId: job.jobId, run: () => runSearch(ports, request, caller, signal) });
      runNext();
      return jobs.get(job.jobId)!;
    },
    find(jobId, caller) {
      drop();
      const job = jobs.get(jobId);
      if (job?.owner === ownerOf(caller)) return job;
      throw new ServiceRefusal('not_found', 'There is no such search.');
    },
    forget(tenant) {
      for (const job of jobs.values())
        if (job.tenant === tenant && job.status !== 'pending') jobs.delete(job.jobId);
    },
  };
}

async function runSearch(
  { search, logger }: SearchJobPorts,
  request: SearchRequest,
  caller: SearchCaller,
  signal: AbortSignal,
): Promise<Partial<HeldJob>> {
  try {
    const result = await search(request, caller, signal);
    return { status: 'succeeded', result, bytes: Buffer.byteLength(JSON.stringify(result)) };
  } catch (error) {
    if (error instanceof ServiceRefusal)
      return { status: 'failed', failure: { code: error.code, message: error.message } };
    logger.error('search-job-failed', { where: describeUnexpected(error) });
    const message = 'The service failed; its log says where.';
    return { status: 'failed', failure: { code: 'internal', message } };
  }
}

/** Lets an erasure take what searches of its tenant found and keep. */
export function forgetErased(
  documents: DocumentService | undefined,
  jobs: Pick<SearchJobs, 'forget'>,
): DocumentService | undefined {
  return (
    documents && {
      ...documents,
      async erase(tenant, ...asked) {
        const receipt = await documents.erase(tenant, ...asked);
        jobs.forget(tenant);
        return receipt;
      },
    }
  );
}
