import type { Mutant } from './mutant.ts';

export const LOCAL_RUN_MUTANTS: readonly Mutant[] = [
  {
    name: 'half-range-not-checked',
    removes: 'telling a vector that no half float can hold before it is written',
    file: 'lib/core/half-floats.ts',
    changes: [['    if (magnitude >= INFINITE_HALF) return undefined;\n', '']],
    dies: 'local-run',
  },
  {
    name: 'leased-rows-count-as-done',
    removes: 'starting over after a round of looking ahead that leased rows',
    file: 'lib/local/look-ahead.ts',
    changes: [['if (leasedRows > leasedBefore) startOver();', 'if (leasedRows < leasedBefore) startOver();']],
    dies: 'local-run',
  },
  {
    name: 'suspects-in-turn',
    removes: 'taking up last what may have killed a process',
    file: 'lib/local/look-ahead.ts',
    changes: [['...(!takesSuspects && { maxAttempts: 0 })', '...(leasedRows < 0 && { maxAttempts: 0 })']],
    dies: 'local-run',
  },
  {
    name: 'forgets-what-was-learned',
    removes: 'learning from calls without an answer',
    file: 'lib/pipeline/embed/keep-pace.ts',
    changes: [['    known.pace = learnPace(before, seen, boundsOf(ports, request));\n', '']],
    dies: 'local-run',
  },
  {
    name: 'slow-server-is-an-outage',
    removes: 'telling a server that is too slow for several texts from an outage',
    file: 'lib/pipeline/embed/embed-record.ts',
    changes: [['  if (unansweredTexts > 1) return settlement;\n', '']],
    dies: 'local-run',
  },
  {
    name: 'decided-before-its-turn',
    removes: 'looking at the size of a call again once it has its turn',
    file: 'lib/pipeline/embed/keep-pace.ts',
    changes: [
      ["  if (isTooLarge()) return 'too-many-texts';\n", ''],
      ['  if (isTooLarge()) {\n', '  if (alias === ``) {\n'],
    ],
    dies: 'local-run',
  },
  {
    name: 'one-death-makes-suspects',
    removes: 'full batches for rows that were in a batch which died once',
    file: 'lib/core/packing.ts',
    changes: [['  if (attempts <= 1) return batchSize;', '  if (attempts <= 0) return batchSize;']],
    dies: 'local-run',
  },
  {
    name: 'lone-text-never-doubted',
    removes: 'doubting one text alone whose call gets no answer each time',
    file: 'lib/pipeline/embed/buy-vectors.ts',
    changes: [['if (isUnanswered(failure.code) && (', 'if (isUnanswered(failure.code) || (']],
    dies: 'local-run',
  },
  {
    name: 'short-call-condemns-its-text',
    removes: 'blaming no text for a call that had less than its time-out',
    file: 'lib/pipeline/embed/call-with-retries.ts',
    changes: [['isCutShort: deadlineMs < timeoutMs', 'isCutShort: false']],
    dies: 'local-run',
  },
  {
    name: 'lone-text-slows-its-neighbours',
    removes: 'learning no smaller calls from one text alone',
    file: 'lib/core/pace.ts',
    changes: [['isAlone ? pace.textsPerCall : ', 'isAlone ? 1 : ']],
    dies: 'local-run',
  },
  {
    name: 'skipped-rows-untold',
    removes: 'telling of rows that no look can compare',
    file: 'lib/pipeline/detect/passes.ts',
    changes: [['    skipped.push(...(slice.skipped ?? []));\n', '']],
    dies: 'local-run',
  },
];
