import type { CountedRun } from './aws-cost.ts';

/** What `npm run cost` counted, and what it was asked for. */
export interface KeptCount {
  /** What ran: processor count, Node's version, load. */
  readonly machine: string;
  readonly providerMs: number;
  readonly currency?: string | undefined;
  readonly rate?: string | undefined;
  readonly run: CountedRun;
}

/**
 * The last count, from which docs/cost.md and the quote of a stage are made.
 * Written by `npm run cost`.
 */
export const KEPT_COUNT: KeptCount = {
  machine: 'Node 24.21.0, 2 shared cores, x64, under a load of 3.6',
  providerMs: 500,
  run: {
    rows: 5000,
    tokens: 96800,
    dimensions: 1536,
    functions: {
      detect: {
        invocations: 2,
        invocationMs: 70.70005999999921,
        memoryMb: 512,
        startMs: 480.0052600000017,
        environments: 1,
      },
      embed: {
        invocations: 50,
        invocationMs: 40.99581599999874,
        memoryMb: 1024,
        startMs: 437.0907479999987,
        environments: 12,
      },
      write: {
        invocations: 5,
        invocationMs: 362.8003319999989,
        memoryMb: 1024,
        startMs: 284.0488169999953,
        environments: 6,
      },
    },
    sqs: {
      SendMessageBatch: {
        requests: 55,
        pieces: 55,
      },
      ReceiveMessage: {
        requests: 55,
        pieces: 55,
      },
      DeleteMessageBatch: {
        requests: 55,
        pieces: 55,
      },
    },
    s3: {
      puts: 50,
      gets: 50,
      deletes: 50,
      putBytes: 31588610,
      getBytes: 31588610,
      keptBytes: 0,
    },
    queueTraffic: {
      sentBytes: 119046,
      receivedBytes: 13140,
    },
    providerCalls: 50,
    provider: {
      sentBytes: 477025,
      receivedBytes: 41209500,
    },
    database: {
      sentBytes: 32386378,
      receivedBytes: 1538362,
    },
    logBytes: 35522,
    idleMs: {
      detect: 27.77229299999817,
      guard: 33.43107400000008,
    },
    idleLogBytes: {
      detect: 588,
      guard: 661,
    },
    metricSeries: 34,
  },
};
