import * as z from 'zod';
import { wholeNumber, word } from './leaf-schemas.ts';

export const onOutage = z.enum(['stop', 'dead-letter'], { error: 'expected "stop" or "dead-letter"' });

const ranges = {
  batchSize: wholeNumber(1, 2048),
  concurrency: wholeNumber(1, 256),
  maxCharacters: wholeNumber(1, 100_000_000),
  timeoutSeconds: wholeNumber(1, 600),
  pauseMs: wholeNumber(0, 3_600_000),
};

/** The section `limits`: what holds for every source and model that sets nothing of its own. */
export const limitsSection = z.strictObject(
  {
    batchSize: ranges.batchSize.default(100),
    concurrency: ranges.concurrency.default(4),
    maxInFlight: wholeNumber(1, 1_000_000).default(10_000),
    maxCharacters: ranges.maxCharacters.optional(),
    timeoutSeconds: ranges.timeoutSeconds.default(60),
    pauseMs: ranges.pauseMs.default(0),
    sliceRows: wholeNumber(1, 1_000_000).default(50_000),
    onOutage: onOutage.default('stop'),
  },
  { error: 'expected an object such as { batchSize: 100, concurrency: 4 }' },
);

const usdExpectation = 'expected US dollars above 0, up to 1,000,000,000';
const modeExpectation = 'expected an object such as { batchSize: 64, maxItems: 20_000 }';
const modesExpectation =
  'expected an object such as { night: { maxUsd: 2 } }; a name is a letter, then letters, digits, _ and -';

/** The section `modes`: what a run does otherwise where it is told the name. */
export const modesSection = z.record(
  z.string().regex(/^[A-Za-z][\w-]{0,63}$/),
  z
    .strictObject(
      {
        batchSize: ranges.batchSize.optional(),
        concurrency: ranges.concurrency.optional(),
        maxCharacters: ranges.maxCharacters.optional(),
        timeoutSeconds: ranges.timeoutSeconds.optional(),
        pauseMs: ranges.pauseMs.optional(),
        maxItems: wholeNumber(1, 1_000_000_000).optional(),
        maxUsd: z
          .number({ error: usdExpectation })
          .positive({ error: usdExpectation })
          .max(1e9, { error: usdExpectation })
          .optional(),
        failureLog: word('expected the name of a file').optional(),
      },
      { error: modeExpectation },
    )
    .refine(mode => Object.values(mode).some(value => value !== undefined), { error: modeExpectation }),
  { error: modesExpectation },
);
