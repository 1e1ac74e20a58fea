import type { CountedRun } from '../../lib/core/aws-cost.ts';

/** A run of 1,000 rows in round figures: a million are a thousand times as much. */
export function makeCountedRun(changes: Partial<CountedRun> = {}): CountedRun {
  return {
    rows: 1_000,
    tokens: 200_000,
    dimensions: 1536,
    functions: {
      detect: { invocations: 1, memoryMb: 512, invocationMs: 100, startMs: 500, environments: 1 },
      embed: { invocations: 10, memoryMb: 1024, invocationMs: 100, startMs: 1000, environments: 10 },
      write: { invocations: 1, memoryMb: 1024, invocationMs: 1000, startMs: 1000, environments: 5 },
    },
    idleMs: { detect: 20, guard: 10 },
    idleLogBytes: { detect: 500, guard: 500 },
    providerCalls: 10,
    sqs: { SendMessageBatch: { requests: 10, pieces: 20 }, ReceiveMessage: { requests: 10, pieces: 10 } },
    s3: { puts: 10, gets: 10, deletes: 9, putBytes: 6_000_000, getBytes: 6_000_000, keptBytes: 600_000 },
    provider: { sentBytes: 1_000_000, receivedBytes: 8_000_000 },
    database: { sentBytes: 6_000_000, receivedBytes: 1_000_000 },
    queueTraffic: { sentBytes: 500_000, receivedBytes: 500_000 },
    logBytes: 10_000,
    metricSeries: 20,
    ...changes,
  };
}
