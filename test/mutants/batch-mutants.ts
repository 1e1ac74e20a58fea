import type { Mutant } from './mutant.ts';

/** What keeps the batch lane from buying twice, and from losing what it bought. */
const MUTANTS: readonly Omit<Mutant, 'dies'>[] = [
  {
    name: 'failed-look-is-a-failed-batch',
    removes: 'looking again where a look at a batch failed',
    file: 'lib/pipeline/batch/follow-batch.ts',
    suite: 'test/batches/histories.test.ts',
    changes: [
      [
        "if (standing === undefined || standing.state === 'running') return hurry(following, providerBatchId);",
        "if (standing?.state === 'running') return hurry(following, providerBatchId);\n  if (standing === undefined) return { freed: (await settle(following, { state: 'failed', resultFileIds: [] })).freed, nextLookSeconds: 0 };",
      ],
    ],
  },
  {
    name: 'only-completed-is-read',
    removes: 'storing what expired and cancelled batches bought',
    file: 'lib/pipeline/batch/follow-batch.ts',
    suite: 'test/batches/histories.test.ts',
    changes: [
      [
        'held, standing.resultFileIds, remainingMs)',
        "held, standing.state === 'completed' ? standing.resultFileIds : [], remainingMs)",
      ],
      ['ingested.embedded < (standing.completed ?? 0)', 'ingested.embedded < 0'],
    ],
  },
  {
    name: 'late-files-are-not-awaited',
    removes: 'waiting for the files of a batch that has ended',
    file: 'lib/pipeline/batch/follow-batch.ts',
    suite: 'test/batches/histories.test.ts',
    changes: [['if (isLate && isYoung) return', 'if (isLate && isYoung && batch.texts < 0) return']],
  },
  {
    name: 'orphans-are-sent-again',
    removes: 'looking for a batch whose creation nobody saw the end of',
    file: 'lib/pipeline/batch/follow-batch.ts',
    suite: 'test/batches/histories.test.ts',
    changes: [['  if (found.id !== undefined) {', '  if (found.id !== undefined && batch.texts < 0) {']],
  },
  {
    name: 'no-second-look-for-orphans',
    removes: 'looking a second time before a batch counts as never created',
    file: 'lib/pipeline/batch/follow-batch.ts',
    suite: 'test/batches/histories.test.ts',
    changes: [['  if (!batch.isFenced) {', '  if (!batch.isFenced && batch.texts < 0) {']],
  },
  {
    name: 'unknown-creation-is-a-refusal',
    removes: 'telling a creation that was refused from one of which nothing is known',
    file: 'lib/pipeline/batch/submit-batch.ts',
    suite: 'test/batches/histories.test.ts',
    changes: [['    if (isRefusal(failure)) return takeBack(', '    if (failure) return takeBack(']],
  },
  {
    name: 'overtaken-process-creates',
    removes: 'telling a process that was frozen for long that its batch was given up',
    file: 'lib/pipeline/batch/submit-batch.ts',
    suite: 'test/batches/histories.test.ts',
    changes: [
      [
        'if (!(await store.noteFile(batchId, fileId))) {',
        'if ((await store.noteFile(batchId, fileId)) === null) {',
      ],
    ],
  },
  {
    name: 'dead-letters-of-files',
    removes: 'deleting the files of a batch once its results are stored',
    file: 'lib/pipeline/batch/follow-batch.ts',
    suite: 'test/batches/histories.test.ts',
    changes: [
      [
        'for (const fileId of new Set([...batch.fileIds, ...lost])) {',
        'for (const fileId of new Set([...batch.fileIds.slice(2), ...lost])) {',
      ],
    ],
  },
  {
    name: 'open-texts-are-bought',
    removes: 'leaving texts alone that stand in a batch',
    file: 'lib/pipeline/embed/use-batches.ts',
    suite: 'test/batches/histories.test.ts',
    changes: [
      [
        'const others = plan.toBuy.filter(({ contentHash }) => !joined.has(contentHash));',
        'const others = plan.toBuy;',
      ],
    ],
  },
  {
    name: 'brought-vectors-are-bought-again',
    removes: 'looking for the vector that a batch brought before a call buys it',
    file: 'lib/pipeline/embed/use-batches.ts',
    suite: 'test/batches/histories.test.ts',
    changes: [
      [
        'const vectors = await store.findVectors(space, hashes);',
        'const vectors = await store.findVectors(space, []);',
      ],
    ],
  },
];

export const BATCH_MUTANTS: readonly Mutant[] = MUTANTS.map(mutant => ({ ...mutant, dies: 'batches' }));
