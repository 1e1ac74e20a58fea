import type { Mutant } from './mutant.ts';

/** Rates, caps, batches and turns of tenants, as far as the simulation of the whole pipeline holds them. */
const MUTANTS: readonly Omit<Mutant, 'dies'>[] = [
  {
    name: 'rate-without-tokens',
    removes: 'asking for the tokens of a call, and not for the call alone',
    file: 'lib/pipeline/embed/keep-rate.ts',
    changes: [['    tokens: estimateCallTokens(request),', '    tokens: 0,']],
  },
  {
    name: 'crowd-fills-every-look',
    removes: 'keeping a part of a look for tenants behind the mass change of another',
    file: 'lib/pipeline/detect/passes.ts',
    changes: [['isShared ? Math.ceil(capacity / CAPACITY_PER_KEPT) : 0', 'isShared ? 0 : 0']],
  },
  {
    name: 'crowd-takes-the-kept-turns',
    removes: 'telling by its rows who crowds a look',
    file: 'lib/pipeline/detect/turns-behind-crowd.ts',
    changes: [
      ['leased.filter((_, place) => place % step === 0)', 'leased.filter((_, place) => place % step < 0)'],
    ],
  },
  {
    name: 'dearer-than-estimated',
    removes: 'owing what a call was billed above its estimate',
    file: 'lib/pipeline/embed/keep-rate.ts',
    changes: [['failure === undefined ? call.entry.tokens - taken : 0', 'failure === undefined ? 0 : 0']],
  },
  {
    name: 'caps-stay-reached',
    removes: 'going on once a cap is raised, or its day is over',
    file: 'lib/pipeline/detect/detect.ts',
    changes: [['await ports.detection.liftBudgetPauses()', '0']],
  },
  {
    name: 'batches-without-looks',
    removes: 'looking at batches by the ticks',
    file: 'lib/pipeline/detect/detect.ts',
    changes: [["if (request.pass === 'incremental') await askForBatches(ports, spaces);", '']],
  },
  {
    name: 'edits-wait-for-batches',
    removes: 'buying an edit at once where bulk texts wait for a batch',
    file: 'lib/pipeline/embed/use-batches.ts',
    changes: [
      [
        "    dispatch.lane === 'fresh' ||\n    rows.some(",
        "    dispatch.lane !== 'fresh' &&\n    rows.some(",
      ],
    ],
  },
  {
    name: 'edits-of-the-other-pass-wait',
    removes: 'buying an edit at once that the reconcile pass saw first',
    file: 'lib/pipeline/embed/use-batches.ts',
    changes: [['isEdited(reading.version, nowMs) ||', 'isEdited(null, nowMs) ||']],
  },
  {
    name: 'edits-of-long-transactions-wait',
    removes: 'buying an edit at once whose version is of the beginning of a long transaction',
    file: 'lib/pipeline/embed/use-batches.ts',
    changes: [[' || hadOtherText(reading, contentHash)', " || hadOtherText(reading, '') === null"]],
  },
];

export const LANE_MUTANTS: readonly Mutant[] = MUTANTS.map(mutant => ({ ...mutant, dies: 'simulation' }));
