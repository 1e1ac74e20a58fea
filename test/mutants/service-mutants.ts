import type { Mutant } from './mutant.ts';

const MUTANTS: readonly Omit<Mutant, 'dies'>[] = [
  {
    name: 'queue-without-a-bound-of-time',
    removes: 'refusing what would take longer than the bound',
    file: 'lib/pipeline/serve/queue-pace.ts',
    suite: 'test/serve/queue.test.ts',
    changes: [['      : expectedMs > queueMs;', '      : false;']],
  },
  {
    name: 'queue-filled-before-its-pace-is-known',
    removes: 'bounding what waits before a call was measured',
    file: 'lib/pipeline/serve/queue-pace.ts',
    suite: 'test/serve/queue.test.ts',
    changes: [
      ['      ? tokens > calls * maxTokensPerCall || texts > calls * maxTextsPerCall', '      ? false'],
    ],
  },
  {
    name: 'idle-call-tells-the-pace',
    removes: 'measuring the pace by full calls alone',
    file: 'lib/pipeline/serve/queue-pace.ts',
    suite: 'test/serve/queue.test.ts',
    changes: [['    if (wasFull) this.#count', '    if (tokens > 0) this.#count']],
  },
  {
    name: 'call-with-room-tells-no-bound',
    removes: 'learning the pace where the bound is too short for full calls',
    file: 'lib/pipeline/serve/queue-pace.ts',
    suite: 'test/serve/queue.test.ts',
    changes: [['    else if (hasOthers && this.#calls > 0)', '    else if (tokens < 0)']],
  },
  {
    name: 'queue-of-any-size',
    removes: 'bounding the tokens that wait',
    file: 'lib/pipeline/serve/queue-pace.ts',
    suite: 'test/serve/queue.test.ts',
    changes: [['  if (!isLate && tokens <= queueTokens) return;', '  if (!isLate) return;']],
  },
  {
    name: 'query-refused-for-documents',
    removes: 'letting no document go before a query',
    file: 'lib/pipeline/serve/waiting-texts.ts',
    suite: 'test/serve/queue.test.ts',
    changes: [["    if (lane === 'document') return", '    if (lane.length > 0) return']],
  },
  {
    name: 'computed-for-nobody',
    removes: 'taking out of the queue what no client waits for',
    file: 'lib/pipeline/serve/embed-queue.ts',
    suite: 'test/serve/queue.test.ts',
    changes: [['      if (this.#waiting.remove(text)) {', '      if (text.texts) {']],
  },
  {
    name: 'call-goes-on-for-nobody',
    removes: 'ending a call for which no client waits',
    file: 'lib/pipeline/serve/embed-queue.ts',
    suite: 'test/serve/queue.test.ts',
    changes: [['        text.call.abort.abort();\n', '']],
  },
  {
    name: 'refused-text-takes-others-along',
    removes: 'halving a call of which a text is refused',
    file: 'lib/pipeline/serve/embed-queue.ts',
    suite: 'test/serve/queue.test.ts',
    changes: [['      if (batch.length > 1 && (', '      if (batch.length > 1_000_000 && (']],
  },
  {
    name: 'query-cached-as-document',
    removes: 'keeping vectors of queries and of documents apart',
    file: 'lib/pipeline/serve/prepare-request.ts',
    suite: 'test/serve/queue.test.ts',
    changes: [["role === 'query' ? 'query' : 'document'}", "'document'}"]],
  },
  {
    name: 'embeds-before-warm',
    removes: 'refusing to embed before the golden vectors were compared',
    file: 'lib/pipeline/serve/serve-embeddings.ts',
    suite: 'test/serve/serve-command.test.ts',
    changes: [['    if (!found.ready)', '    if (false)']],
  },
  {
    name: 'takes-more-while-it-ends',
    removes: 'refusing what comes while the service ends',
    file: 'lib/pipeline/serve/serve-embeddings.ts',
    suite: 'test/serve/queue.test.ts',
    changes: [['      if (isDraining)\n        throw', '      if (false)\n        throw']],
  },
  {
    name: 'other-weights-become-ready',
    removes: 'comparing the golden vectors before it is ready',
    file: 'lib/pipeline/serve/warm-up.ts',
    suite: 'test/serve/serve-command.test.ts',
    changes: [['    return problem;\n', '    return problem && undefined;\n']],
  },
  {
    name: 'any-host-answered',
    removes: 'answering for the hosts of the allow-list alone',
    file: 'lib/adapters/api/guard-requests.ts',
    suite: 'test/serve/answers.test.ts',
    changes: [
      ['(isLoopbackHost(name) || allowedHosts.has(name))', '(isLoopbackHost(name) || allowedHosts.size > 0)'],
    ],
  },
  {
    name: 'page-of-another-site-writes',
    removes: 'refusing what a page of another origin sent',
    file: 'lib/adapters/api/guard-requests.ts',
    suite: 'test/serve/answers.test.ts',
    changes: [['  if (!isOwn) throw', '  if (false) throw']],
  },
  {
    name: 'form-of-a-page-read',
    removes: 'asking for application/json, which no form sends',
    file: 'lib/adapters/api/guard-requests.ts',
    suite: 'test/serve/answers.test.ts',
    changes: [
      ["  if (!/^application\\/json *(;|$)/i.test(headers.get('content-type') ?? ''))", '  if (false)'],
    ],
  },
  {
    name: 'compressed-body-read',
    removes: 'refusing a compressed body',
    file: 'lib/adapters/api/guard-requests.ts',
    suite: 'test/serve/answers.test.ts',
    changes: [['  if (!/^identity$/i.test(encoding))', '  if (false)']],
  },
  {
    name: 'unannounced-body-of-any-size',
    removes: 'ending to read where a body is over its limit',
    file: 'lib/adapters/api/guard-requests.ts',
    suite: 'test/serve/answers.test.ts',
    changes: [
      ['    if (bytes > maxBytes) throw tooLarge(maxBytes);\n', ''],
      ['  if (bytes.byteLength > maxBytes) throw tooLarge(maxBytes);\n', ''],
    ],
  },
  {
    name: 'open-to-others-without-tokens',
    removes: 'refusing an address that others reach without tokens',
    file: 'lib/local/serve-locally.ts',
    suite: 'test/serve/serve-command.test.ts',
    changes: [['  if (tokens === undefined)\n', '  if (false)\n']],
  },
  {
    name: 'words-of-a-provider-passed-on',
    removes: 'telling the class and the code of a failure in place of its words',
    file: 'lib/core/service-refusal.ts',
    suite: 'test/serve/queue.test.ts',
    changes: [
      [
        'const { failureClass, code, retryAfterMs } = failure;',
        'const { failureClass, message: code, retryAfterMs } = failure;',
      ],
    ],
  },
  {
    name: 'weights-unchecked',
    removes: "comparing the digests of a model's files",
    file: 'lib/adapters/local/inference-process.ts',
    suite: 'test/adapters/local/local-provider.test.ts',
    changes: [['  if (found === expected) return;', "  if (found !== '') return;"]],
  },
  {
    name: 'table-unchecked',
    removes: 'comparing the digests of the built-in table',
    file: 'lib/adapters/providers/static.ts',
    suite: 'test/adapters/static/static-provider.test.ts',
    changes: [['  if (found === expected) return bytes;', "  if (found !== '') return bytes;"]],
  },
  {
    name: 'downloaded-file-unchecked',
    removes: 'keeping no downloaded file that is another one',
    file: 'lib/adapters/local/model-files.ts',
    suite: 'test/adapters/local/model-files.test.ts',
    changes: [['    if (found !== expected)', "    if (found === '')"]],
  },
  {
    name: 'model-reads-secrets',
    removes: 'passing no variable to the process of a model that it does not need',
    file: 'lib/adapters/local/inference.ts',
    suite: 'test/adapters/local/local-provider.test.ts',
    changes: [
      [
        '        env: Object.fromEntries(PASSED_VARIABLES.flatMap(name => readVariable(name))),',
        '        env: { ...process.env, ...Object.fromEntries(PASSED_VARIABLES.flatMap(readVariable)) },',
      ],
    ],
  },
  {
    name: 'silent-model-kept',
    removes: 'ending a process that gave no answer for a whole deadline',
    file: 'lib/adapters/local/inference.ts',
    suite: 'test/adapters/local/local-provider.test.ts',
    changes: [["        running.child.kill('SIGKILL');\n", '']],
  },
  {
    name: 'refused-text-asked-elsewhere',
    removes: 'asking no other service where the request itself is refused',
    file: 'lib/adapters/api/client.ts',
    suite: 'test/serve/embed-texts.test.ts',
    changes: [
      [
        "  return status === 0 || status === 429 || status >= 500 || code === 'model_not_found';",
        "  return status >= 0 || code === 'model_not_found';",
      ],
    ],
  },
];

export const SERVICE_MUTANTS: readonly Mutant[] = MUTANTS.map(mutant => ({ ...mutant, dies: 'service' }));
