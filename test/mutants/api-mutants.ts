import type { Mutant } from './mutant.ts';

const MUTANTS: readonly Omit<Mutant, 'dies'>[] = [
  {
    name: 'route-without-authorizer',
    removes: 'the authorizer from the addresses of the API',
    file: 'lib/constructs/service-api.ts',
    suite: 'test/constructs/service-api.test.ts',
    changes: [['integration, authorizer })', 'integration })']],
  },
  {
    name: 'audience-of-others',
    removes: 'accepting tokens of the one configured audience only',
    file: 'lib/constructs/service-api.ts',
    suite: 'test/constructs/service-api.test.ts',
    changes: [['jwtAudience: [audience]', 'jwtAudience: [audience, issuer]']],
  },
  {
    name: 'api-without-a-rate',
    removes: 'the bounded rate of requests',
    file: 'lib/constructs/service-api.ts',
    suite: 'test/constructs/service-api.test.ts',
    changes: [
      [
        '      throttle: { rateLimit: requestsPerSecond, burstLimit: BURST_SECONDS * requestsPerSecond },\n',
        '',
      ],
    ],
  },
  {
    name: 'unverified-request-let-in',
    removes: 'refusing an event without claims that the authorizer verified',
    file: 'lib/adapters/api/gateway.ts',
    suite: 'test/functions/api.test.ts',
    changes: [
      ["    if (claims === undefined) return { fault: 'missing' };\n", ''],
      ['Object.entries(claims)', 'Object.entries(claims ?? {})'],
    ],
  },
  {
    name: 'object-names-a-tenant',
    removes: 'reading a claim that was an object as none of text',
    file: 'lib/adapters/api/gateway.ts',
    suite: 'test/functions/api.test.ts',
    changes: [["  if (text.startsWith('map[')) return [name, {}];\n", '']],
  },
  {
    name: 'list-names-a-tenant',
    removes: 'reading a claim that was a list as a list',
    file: 'lib/adapters/api/gateway.ts',
    suite: 'test/functions/api.test.ts',
    changes: [
      [
        "  if (text.startsWith('[') && text.endsWith(']')) return [name, text.slice(1, -1).split(/[ ,]+/)];\n",
        '',
      ],
    ],
  },
  {
    name: 'erases-what-is-left-of-an-address',
    removes: 'refusing an address that the API decoded into another one',
    file: 'lib/adapters/api/gateway.ts',
    suite: 'test/functions/api.test.ts',
    changes: [['    if (!isPathAsSent(event))', '    if (false)']],
  },
  {
    name: 'takes-ids-that-no-address-carries',
    removes: 'refusing an item whose id no address carries to the function',
    file: 'lib/wiring/lambda-api.ts',
    suite: 'test/functions/api.test.ts',
    changes: [[', carriedIds: CARRIED_IDS }', ' }']],
  },
  {
    name: 'answers-before-it-is-entered',
    removes: 'entering what a request cost before it is answered',
    file: 'lib/wiring/lambda-api.ts',
    suite: 'test/functions/api.test.ts',
    changes: [['waitAtMost(RECORD_MS, queries.write(), clock)', 'waitAtMost(RECORD_MS, undefined, clock)']],
  },
  {
    name: 'answer-of-any-size',
    removes: 'refusing an answer that Lambda would not let out',
    file: 'lib/adapters/api/gateway.ts',
    suite: 'test/functions/api.test.ts',
    changes: [["Buffer.byteLength(JSON.stringify(result.body ?? '')) <= MAX_ANSWER_BYTES", 'true']],
  },
  {
    name: 'nudged-looks-without-a-pause',
    removes: 'one look a second, whoever asks',
    file: 'lib/pipeline/detect/detect-alone.ts',
    suite: 'test/pipeline/nudged-looks.test.ts',
    changes: [['    await clock?.sleep(Math.max(0, NUDGED_EVERY_MS - (clock.now() - beganMs)));\n', '']],
  },
  {
    name: 'nudge-that-comes-second-forgotten',
    removes: 'looking once more for who was kept out by a look that had begun before',
    file: 'lib/pipeline/detect/detect-alone.ts',
    suite: 'test/pipeline/nudged-looks.test.ts',
    changes: [
      [
        "const second = await lock.tryAlone('detect:nudged', remainingMs(), look);",
        'const second = undefined;',
      ],
    ],
  },
  {
    name: 'every-nudge-passed-on',
    removes: 'passing two nudges a second on, however many come',
    file: 'lib/pipeline/serve/nudge-gate.ts',
    suite: 'test/functions/api.test.ts',
    changes: [['    if (passedAtMs.length >= PASSES_A_SECOND) return;\n', '']],
  },
  {
    name: 'text-that-nudges-nobody',
    removes: 'starting detect for a text that was given to the function',
    file: 'lib/wiring/lambda-api.ts',
    suite: 'test/functions/api.test.ts',
    changes: [['nudge?.nudge().catch(() => undefined),', 'undefined,']],
  },
  {
    name: 'text-that-waits-for-its-nudge',
    removes: 'answering to a text though the start of detect hangs',
    file: 'lib/wiring/lambda-api.ts',
    suite: 'test/functions/api.test.ts',
    changes: [['        NUDGE_MS,\n', '        3_600_000,\n']],
  },
  {
    name: 'nudge-on-a-paused-stage',
    removes: 'taking no nudges on a stage that was deployed paused',
    file: 'lib/constructs/deployment-environment.ts',
    suite: 'test/constructs/service-api.test.ts',
    changes: [['api.nudges ? live', 'true ? live']],
  },
];

export const API_MUTANTS: readonly Mutant[] = MUTANTS.map(mutant => ({ ...mutant, dies: 'api' }));
