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
  machine: 'Node 24.21.0, 2 shared cores, x64, under a load of 2.1',
  providerMs: 500,
  run: {
    rows: 5000,
    tokens: 96800,
    dimensions: 1536,
    functions: {
      detect: {
        invocations: 2,
        invocationMs: 32.39131599999928,
        memoryMb: 512,
        startMs: 232.83271299999979,
        environments: 1,
      },
      embed: {
        invocations: 50,
        invocationMs: 22.670110000000932,
        memoryMb: 1024,
        startMs: 282.8433619999996,
        environments: 12,
      },
      write: {
        invocations: 5,
        invocationMs: 166.26321449999978,
        memoryMb: 1024,
        startMs: 173.81876550000106,
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
      putBytes: 31588773,
      getBytes: 31588773,
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
      sentBytes: 32388259,
      receivedBytes: 1538686,
    },
    logBytes: 35482,
    idleMs: {
      detect: 12.77003700000023,
      guard: 8.546366999999009,
    },
    idleLogBytes: {
      detect: 588,
      guard: 661,
    },
    metricSeries: 34,
  },
};
