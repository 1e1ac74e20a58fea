// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the patches quote templates of the source.
import type { Mutant } from './mutant.ts';

const MUTANTS: readonly Omit<Mutant, 'dies'>[] = [
  {
    name: 'horizon-after-scan',
    removes: 'reading the horizon before the scan that it bounds',
    file: 'lib/pipeline/detect/passes.ts',
    changes: [
      ['  const horizon = rest === undefined ? await detection.readHorizon(space) : rest.horizon;\n', ''],
      ['position.watermark ?? horizon;', "position.watermark ?? '2026-01-01 00:00:00+00';"],
      [
        '  const refusedVersions =',
        '  const horizon = rest === undefined ? await detection.readHorizon(space) : rest.horizon;\n  const refusedVersions =',
      ],
    ],
  },
  {
    name: 'skipped-rows-untold',
    removes: 'telling of rows that no look can compare',
    file: 'lib/pipeline/detect/passes.ts',
    changes: [['    skipped.push(...(slice.skipped ?? []));\n', '']],
  },
  {
    name: 'watermark-passes-limit',
    removes: 'stopping the watermark at the first stale row that the limit left out',
    file: 'lib/pipeline/detect/passes.ts',
    changes: [['[firstUnsent?.version ?? null, ...refusedVersions]', 'refusedVersions']],
  },
  {
    name: 'watermark-follows-cursor',
    removes: 'holding the watermark at the horizon of the first look while a tick goes on',
    file: 'lib/pipeline/detect/passes.ts',
    changes: [
      [
        'await detection.readHorizon(space) : rest.horizon',
        'await detection.readHorizon(space) : await detection.readHorizon(space)',
      ],
    ],
  },
  {
    name: 'waiting-forgotten',
    removes: 'storing that a look left rows',
    file: 'lib/pipeline/detect/passes.ts',
    changes: [['firstUnsent !== null || isBlind(space, watermark)', 'isBlind(space, watermark)']],
  },
  {
    name: 'cursor-passes-truncated-slice',
    removes: 'walking a slice again of which something is left',
    file: 'lib/pipeline/detect/passes.ts',
    changes: [['if (slice.truncated || slice.sent < slice.rows.length) return report(false);', '']],
  },
  {
    name: 'whole-batches-for-suspects',
    removes: 'smaller batches for rows that were there when a process died',
    file: 'lib/core/packing.ts',
    changes: [['  return attempts === 2 ? Math.min(10, batchSize) : 1;', '  return batchSize;']],
  },
  {
    name: 'never-gives-up',
    removes: 'the outcome `undelivered` after five attempts',
    file: 'lib/pipeline/embed/embed-record.ts',
    changes: [
      [
        'const undeliverable = message.attempts >= MAX_ATTEMPTS;',
        'const undeliverable = message.attempts > 1_000 * MAX_ATTEMPTS;',
      ],
    ],
  },
  {
    name: 'exclusion-is-a-fault',
    removes: 'taking a text without a known word for what it is, beside the vectors of its batch',
    file: 'lib/pipeline/embed/buy-vectors.ts',
    changes: [
      [
        "    if (code !== undefined) buying.results.set(position, { kind: 'excluded', code });\n    else if (!vector)",
        '    if (!vector)',
      ],
    ],
  },
  {
    name: 'exclusion-is-forgotten',
    removes: 'the touch of a row whose text is still one without a known word',
    file: 'lib/pipeline/embed/plan-rows.ts',
    changes: [["keepsOutcome(reading, 'excluded:unknown-words', contentHash)", 'false']],
  },
  {
    name: 'message-before-object',
    removes: 'storing the object before it is announced',
    file: 'lib/pipeline/claim-check.ts',
    changes: [
      ['  await retryTransient(ports, remainingMs, () => ports.objects.put(message.key, body));\n', ''],
      [
        '  await retryTransient(ports, remainingMs, () => announce(ports, message));\n',
        '  await retryTransient(ports, remainingMs, () => announce(ports, message));\n  await retryTransient(ports, remainingMs, () => ports.objects.put(message.key, body));\n',
      ],
    ],
  },
  {
    name: 'one-key-per-dispatch',
    removes: 'a key of its own for each attempt',
    file: 'lib/pipeline/claim-check.ts',
    changes: [
      [
        'composeResultKey(spaceId, dispatchId, ports.randomness.identifier())',
        "composeResultKey(spaceId, dispatchId, 'one')",
      ],
    ],
  },
  {
    name: 'refused-announcement-ignored',
    removes: 'taking a refused announcement for a failure',
    file: 'lib/pipeline/claim-check.ts',
    changes: [
      ['if (refusal === undefined) return;', 'if (refusal === undefined || failed.length > 0) return;'],
    ],
  },
  {
    name: 'unmarked-announcement',
    removes: 'marking rows as announced',
    file: 'lib/pipeline/embed/embed-record.ts',
    changes: [['const needsMark = settled.size > 0', 'const needsMark = settled.size < 0']],
  },
  {
    name: 'no-copies',
    removes: 'looking up what other rows of the space already hold',
    file: 'lib/pipeline/embed/plan-rows.ts',
    changes: [['if (known?.embedded.has(contentHash)) {', 'if (known?.embedded.has(`${contentHash}!`)) {']],
  },
  {
    name: 'forgotten-verdicts',
    removes: 'not buying what was refused',
    file: 'lib/pipeline/embed/plan-rows.ts',
    changes: [['} else if (refusedCode !== undefined) {', '} else if (refusedCode === `!`) {']],
  },
  {
    name: 'duplicate-texts',
    removes: 'sending equal texts of a batch once',
    file: 'lib/pipeline/embed/plan-rows.ts',
    changes: [
      [
        'else waiting.set(contentHash, [decision]);',
        'else waiting.set(contentHash, [decision]);\n      if (sharers) waiting.set(`${contentHash}:${waiting.size}`, [decision]);',
      ],
    ],
  },
  {
    name: 'touch-without-comparing',
    removes: 'comparing the text with the stored outcome before it counts as unchanged',
    file: 'lib/pipeline/embed/plan-rows.ts',
    changes: [
      ['stored?.outcome === outcome && stored.contentHash === contentHash', 'stored?.outcome === outcome'],
    ],
  },
  {
    name: 'no-verdicts',
    removes: 'remembering what was refused',
    file: 'lib/pipeline/embed/settle.ts',
    changes: [
      ["if (result.kind === 'refused') verdicts.push(", "if (result.kind === 'vector') verdicts.push("],
      ['code: result.code });\n', "code: '' });\n"],
    ],
  },
  {
    name: 'calls-left-out',
    removes: 'putting the calls into the object',
    file: 'lib/pipeline/embed/settle.ts',
    changes: [['calls: purchase.calls.map(({ entry }) => entry),', 'calls: [],']],
  },
  {
    name: 'timeouts-count-as-free',
    removes: 'counting a call whose outcome nobody knows as billed',
    file: 'lib/pipeline/embed/call-provider.ts',
    changes: [
      [
        'billedTokens !== undefined || !isUnbilled(failure)',
        'billedTokens !== undefined && !isUnbilled(failure)',
      ],
    ],
  },
  {
    name: 'pause-does-not-refuse',
    removes: 'obeying a refused grant',
    file: 'lib/pipeline/embed/call-provider.ts',
    changes: [['  if (refusal) {', '  if (refusal && refusal.scope === ``) {']],
  },
  {
    name: 'bill-never-noted',
    removes: 'counting a call by its bill against a cap from its answer on',
    file: 'lib/pipeline/embed/call-provider.ts',
    changes: [['  if (costUsd !== estimatedCostUsd) await noteBill(ports, callId, costUsd);\n', '']],
  },
  {
    name: 'grant-after-call',
    removes: 'granting a call before it is made',
    file: 'lib/pipeline/embed/call-provider.ts',
    changes: [
      [
        'const refusal = await ports.embedding.grantCall(space, {',
        'const refusal = undefined as GrantRefusal | undefined;\n  void ({',
      ],
    ],
  },
  {
    name: 'whole-batch-refused',
    removes: 'taking a refused batch apart',
    file: 'lib/pipeline/embed/buy-vectors.ts',
    changes: [
      [
        "} else if (failure.failureClass === 'item' || isInvalidReply(failure.code)) {\n    if (group.positions.length > 1) return takeApart(buying, group);",
        "} else if (failure.failureClass === 'item' || isInvalidReply(failure.code)) {",
      ],
    ],
  },
  {
    name: 'count-unchecked',
    removes: 'rejecting a reply with another number of vectors',
    file: 'lib/core/reply.ts',
    changes: [['if (answers.length !== count) {', 'if (answers.length < 0) {']],
  },
  {
    name: 'index-ignored',
    removes: 'matching vectors to texts by index',
    file: 'lib/core/reply.ts',
    changes: [
      [
        'const received = arrangeByIndex(reply, expected.count);',
        'arrangeByIndex(reply, expected.count);\n  const received = reply.items.map(item => item.bytes);',
      ],
    ],
  },
  {
    name: 'values-unchecked',
    removes: 'rejecting vectors that are not finite',
    file: 'lib/core/reply.ts',
    changes: [['  let squares = 0;\n', '  if (bytes.length > 0) return true;\n  let squares = 0;\n']],
  },
  {
    name: 'throttling-burns-receives',
    removes: 'acknowledging a message that waits before it becomes a dead letter',
    file: 'lib/pipeline/embed/settle.ts',
    changes: [
      [
        'record.receiveCount >= ports.limits.maxReceiveCount - 1',
        'record.receiveCount > ports.limits.maxReceiveCount',
      ],
    ],
  },
  {
    name: 'attempts-while-waiting',
    removes: 'giving rows back when their message waits',
    file: 'lib/pipeline/embed/settle.ts',
    changes: [['await ports.embedding.postponeLeases(space, message.dispatchId, ids, leaseSeconds);', '']],
  },
  {
    name: 'failure-acknowledged',
    removes: 'returning what was not settled',
    file: 'lib/pipeline/embed/embed-record.ts',
    changes: [
      ["  if (!ended) return 'done';", "  if (!ended || ended.failureClass === 'transient') return 'done';"],
    ],
  },
  {
    name: 'billed-grants-revoked',
    removes: 'announcing calls that gave nothing and may have been billed',
    file: 'lib/pipeline/embed/settle.ts',
    changes: [
      [
        'return entries > 0 || calls.some(({ maybeBilled }) => maybeBilled);',
        'return entries > 0 || calls.length < 0;',
      ],
    ],
  },
  {
    name: 'row-version-ignored',
    removes: 'comparing `xmin` where a row counts as fresh',
    file: 'lib/pipeline/embed/embed-record.ts',
    changes: [
      ['stored.version === version && stored.xid === xid', 'stored.version === version && xid !== ``'],
    ],
  },
  {
    name: 'digest-unchecked',
    removes: 'comparing an object with its announced SHA-256',
    file: 'lib/pipeline/claim-check.ts',
    changes: [['if (hashObject(objects, body) !== message.sha256)', 'if (hashObject(objects, body) === ``)']],
  },
  {
    name: 'failed-write-acknowledged',
    removes: 'leaving a failed record for its next delivery',
    file: 'lib/pipeline/records.ts',
    changes: [
      [
        '      logFailure(ports, record, error);',
        '      batch.onDone(record);\n      logFailure(ports, record, error);',
      ],
    ],
  },
  {
    name: 'spaces-written-together',
    removes: 'writing results of several spaces apart',
    file: 'lib/pipeline/write/write-step.ts',
    changes: [
      [
        'groups.find(({ space: { spaceId } }) => spaceId === space.spaceId)',
        'groups.find(({ space: { spaceId } }) => spaceId > 0)',
      ],
    ],
  },
  {
    name: 'database-pause-stays',
    removes: 'lifting the database’s pause when a write succeeds again',
    file: 'lib/pipeline/write/write-step.ts',
    changes: [
      [
        'await ports.control.resume(PIPELINE_SCOPE, DATABASE_PAUSE);',
        "await ports.control.resume(PIPELINE_SCOPE, 'databases');",
      ],
    ],
  },
  {
    name: 'dropped-result-lifts-pause',
    removes: 'taking a dropped result for what it is, no write',
    file: 'lib/pipeline/write/write-step.ts',
    changes: [
      [
        "        if (end !== 'written') return 'done';\n        await resume([record]);\n",
        "        await resume([record]);\n        if (end !== 'written') return 'done';\n",
      ],
    ],
  },
  {
    name: 'probe-without-claim',
    removes: 'claiming a probe before a stopped model is called',
    file: 'lib/pipeline/guard/probes.ts',
    changes: [
      [
        '  if (!(await state.probes.claim(latest.scope, latest.reason, interval))) return;\n',
        '  if (interval <= 0) return;\n',
      ],
    ],
  },
  {
    name: 'model-stays-paused',
    removes: 'lifting a model’s pause when its provider answers again',
    file: 'lib/pipeline/guard/probes.ts',
    changes: [['  if (!isAnswering && !changed) return;\n', '  if (!changed) return;\n']],
  },
  {
    name: 'probe-lifts-operator-pause',
    removes: 'leaving a model alone that an operator paused too',
    file: 'lib/pipeline/guard/probes.ts',
    changes: [[' || !own.every(({ reason }) => isProviderPause(reason))', '']],
  },
  {
    name: 'probe-unsettled',
    removes: 'entering a probe in the ledger',
    file: 'lib/pipeline/guard/probes.ts',
    changes: [
      [
        'if (result.call !== undefined) await writeProbeCall(',
        'if (result.call === null) await writeProbeCall(',
      ],
    ],
  },
  {
    name: 'source-stays-closed',
    removes: 'opening an event source when the pause is over',
    file: 'lib/pipeline/guard/guard.ts',
    changes: [["  if (state === 'closed' || closedByUs) await change('open', source);\n", '']],
  },
  {
    name: 'half-opened-source',
    removes: 'taking the mark from an event source that is open and still marked',
    file: 'lib/pipeline/guard/guard.ts',
    changes: [["if (state === 'closed' || closedByUs)", "if (state === 'closed')"]],
  },
  {
    name: 'halves-during-an-outage',
    removes: 'seeing the provider work before a batch is taken apart that failed without a word on a text',
    file: 'lib/pipeline/embed/buy-vectors.ts',
    changes: [['if (!isPart && !othersSucceeded) {', 'if (isPart && buying.ended) {']],
  },
  {
    name: 'harmless-probe-forgotten',
    removes: 'the harmless text that tells one text from an outage',
    file: 'lib/pipeline/embed/buy-vectors.ts',
    changes: [['judgeProbe(buying, failure, await buying.calls.lastTry());', 'buying.proven = true;']],
  },
  {
    name: 'a-call-that-goes-on-gives-up',
    removes: 'waiting longer for a share of the rate where a call goes on after one that failed',
    file: 'lib/pipeline/embed/keep-rate.ts',
    changes: [['const patienceMs = request.goesOn\n', 'const patienceMs = request.goesOn === null\n']],
  },
  {
    name: 'refused-share-taken',
    removes: 'making no call where the rate grants none',
    file: 'lib/pipeline/embed/keep-rate.ts',
    changes: [["if (waitMs === 0) return 'granted';", "if (waitMs >= 0) return 'granted';"]],
  },
  {
    name: 'configured-limit-not-asked-for',
    removes: 'asking for a share where the configuration alone names a limit',
    file: 'lib/pipeline/embed/keep-rate.ts',
    changes: [['lowerLimits(configuredLimits(space.model), learned', 'lowerLimits(UNLIMITED, learned']],
  },
  {
    name: 'configured-limit-not-told',
    removes: 'granting no more than the configuration allows',
    file: 'lib/pipeline/embed/keep-rate.ts',
    changes: [['limits: configuredLimits(model),\n    largest', 'limits: UNLIMITED,\n    largest']],
  },
  {
    name: 'calls-estimated-at-nothing',
    removes: 'asking the caps for what a call is estimated to cost',
    file: 'lib/pipeline/embed/call-provider.ts',
    changes: [
      ['estimatedCostUsd = costOf(estimatedTokens)', 'estimatedCostUsd = 0 * costOf(estimatedTokens)'],
    ],
  },
  {
    name: 'one-share-for-all-tries',
    removes: 'a share of the rate of its own for each repetition of a call',
    file: 'lib/pipeline/embed/call-with-retries.ts',
    changes: [
      [
        'const share = await waitForRate(ports, request, remainingMs, findClosure);',
        "const share = request.goesOn ? 'granted' : await waitForRate(ports, request, remainingMs, findClosure);",
      ],
    ],
  },
  {
    name: 'removed-before-commit',
    removes: 'keeping a result object until its rows are committed',
    file: 'lib/pipeline/write/write-step.ts',
    changes: [
      [
        '  const report = await inSpans(ports, [describeWrite(',
        '  await removeWritten(ports, [record.body]);\n  const report = await inSpans(ports, [describeWrite(',
      ],
    ],
  },
];

export const PIPELINE_MUTANTS: readonly Mutant[] = MUTANTS.map(mutant => ({ ...mutant, dies: 'simulation' }));
