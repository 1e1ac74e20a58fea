import { describe, expect, test } from 'vitest';
import { ServiceRefusal } from '../../lib/core/service-refusal.ts';
import { createSearchJobs } from '../../lib/pipeline/serve/search-jobs.ts';
import type { SearchAnswer, SearchCaller, SearchRequest } from '../../lib/ports/search.ts';
import { createRecordingLogger } from '../doubles/recording-logger.ts';
import { createVirtualClock } from '../doubles/virtual-clock.ts';
import { settled } from './open-api.ts';

const CANARY = 'canary-of-the-query';
const REQUEST: SearchRequest = { source: 'notes', query: CANARY, limit: 100, mode: 'semantic' };
const ANSWER = { source: 'notes', hits: [], took_ms: 1 } as unknown as SearchAnswer;
const of = (tenant: string, claims: Record<string, unknown> = {}): SearchCaller => ({
  ...{ kind: 'client', tenant, claims: { tenant, ...claims } },
});

/** Jobs whose searches end when they are let go. */
function openJobs(claimPaths: readonly string[] = []) {
  const clock = createVirtualClock();
  const logger = createRecordingLogger();
  const held: { readonly tenant: string | undefined; readonly end: (answer?: SearchAnswer) => void }[] = [];
  let count = 0;
  const jobs = createSearchJobs({
    search: (_, { tenant }) =>
      new Promise(resolve => held.push({ tenant, end: (answer = ANSWER) => resolve(answer) })),
    ...{ clock, logger, claimPaths, signal: new AbortController().signal },
    randomness: { identifier: () => `job-${++count}` },
  });
  return { jobs, clock, logger, held };
}

describe('searches as jobs', () => {
  test('are another tenant’s for nobody, nor another’s whose claims decide what she sees', async () => {
    const { jobs, held } = openJobs(['user']);
    const { jobId } = jobs.submit(REQUEST, of('a', { user: '7', exp: 1 }));
    held[0]!.end();
    await settled();

    const refused = [of('b'), of('a', { user: '8' }), of('a'), { kind: 'client' } as const].map(caller => {
      try {
        return jobs.find(jobId, caller).status;
      } catch (error) {
        return (error as ServiceRefusal).code;
      }
    });

    expect(refused).toEqual(Array(4).fill('not_found'));
    expect(jobs.find(jobId, of('a', { user: '7', exp: 2 }))).toMatchObject({
      status: 'succeeded',
      result: ANSWER,
    });
  });

  test('run two at a time, and an owner with many does not keep another one waiting', async () => {
    const { jobs, held } = openJobs();
    for (let count = 0; count < 5; count += 1) jobs.submit(REQUEST, of('a'));
    jobs.submit(REQUEST, of('b'));

    expect(held.map(({ tenant }) => tenant)).toEqual(['a', 'a']);
    held[0]!.end();
    await settled();
    expect(held.map(({ tenant }) => tenant)).toEqual(['a', 'a', 'b']);
  });

  test('are over after a day, and refused over twenty that have not ended', async () => {
    const { jobs, held, clock } = openJobs();
    const { jobId } = jobs.submit(REQUEST, of('a'));
    held[0]!.end();
    await settled();
    clock.advance(24 * 3_600_000 - 1);
    expect(jobs.find(jobId, of('a')).status).toBe('succeeded');
    clock.advance(1);
    expect(() => jobs.find(jobId, of('a'))).toThrow(/no such search/);

    for (let count = 0; count < 20; count += 1) jobs.submit(REQUEST, of('a'));
    expect(() => jobs.submit(REQUEST, of('a'))).toThrow(ServiceRefusal);
    expect(jobs.submit(REQUEST, of('b')).status).toBe('pending');
  });

  test('hold nothing of the query, and are forgotten where texts of the tenant are erased', async () => {
    const { jobs, held } = openJobs();
    const ended = jobs.submit(REQUEST, of('a'));
    const running = jobs.submit(REQUEST, of('a'));
    const other = jobs.submit(REQUEST, of('b'));
    held[0]!.end();
    await settled();
    expect(
      JSON.stringify([jobs.find(ended.jobId, of('a')), jobs.find(running.jobId, of('a'))]),
    ).not.toContain(CANARY);

    jobs.forget('a');
    for (const { end } of held.slice(1)) end();
    await settled();

    expect(() => jobs.find(ended.jobId, of('a'))).toThrow(/no such search/);
    expect(() => jobs.find(running.jobId, of('a'))).toThrow(/no such search/);
    expect(jobs.find(other.jobId, of('b')).status).toBe('succeeded');
  });

  test('forget the oldest answers where all of them would take over 64 MB', async () => {
    const { jobs, held } = openJobs();
    const large = { ...ANSWER, source: 'x'.repeat(40 * 1024 * 1024) };
    const first = jobs.submit(REQUEST, of('a'));
    const second = jobs.submit(REQUEST, of('a'));
    for (const { end } of held) end(large);
    await settled();

    expect(() => jobs.find(first.jobId, of('a'))).toThrow(/no such search/);
    expect(jobs.find(second.jobId, of('a')).status).toBe('succeeded');
  });

  test('say why they failed in our own words, and log no word of what nobody foresaw', async () => {
    const logger = createRecordingLogger();
    const failures = [new ServiceRefusal('deadline', 'Not in time.'), new Error(CANARY)];
    const jobs = createSearchJobs({
      search: async () => {
        throw failures.shift();
      },
      ...{ clock: createVirtualClock(), logger, claimPaths: [], signal: new AbortController().signal },
      randomness: { identifier: () => `job-${failures.length}` },
    });
    const ids = [jobs.submit(REQUEST, of('a')).jobId, jobs.submit(REQUEST, of('a')).jobId];
    await settled();

    const [late, unknown] = ids.map(id => jobs.find(id, of('a')).failure);
    expect(late).toEqual({ code: 'deadline', message: 'Not in time.' });
    expect(unknown?.code).toBe('internal');
    expect(JSON.stringify([unknown, logger.lines])).not.toContain(CANARY);
  });
});
