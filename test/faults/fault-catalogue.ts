// biome-ignore-all lint/suspicious/noTemplateCurlyInString: titles are quoted as the tests write them.
import type { CataloguedFault } from './catalogued-fault.ts';

const UNDERSTOOD = shownBy('adapters/provider-behaviours.test.ts', 'is understood, and nothing of it leaks');

/** The faults of the research that the design goes back to, by its numbers: each with what shows that it does no harm, or why nothing does yet. */
export const FAULT_CATALOGUE: readonly CataloguedFault[] = [
  {
    number: 1,
    fault: 'A transaction that stays open commits an old version after the watermark passed',
    shownBy: [
      shownBy(
        'postgres/detection-concurrency.test.ts',
        'lets no row of a transaction that commits late be lost',
      ),
      { invariant: 'watermark-safe' },
    ],
  },
  {
    number: 2,
    fault: 'The version of a row moves backwards',
    shownBy: [
      shownBy(
        'database/detection-leasing.test.ts',
        'finds a row whose version went back or lies in the future',
      ),
    ],
  },
  {
    number: 3,
    fault: 'Two edits share one version',
    shownBy: [
      shownBy(
        'database/detection-leasing.test.ts',
        'finds what the version does not show: a silent edit, a second edit in one tick, NULL',
      ),
    ],
  },
  {
    number: 4,
    fault: 'Timestamps lose their microseconds',
    shownBy: [
      shownBy(
        'database/embedding.test.ts',
        'reads texts, version and row version as text, microseconds kept',
      ),
    ],
  },
  {
    number: 5,
    fault: 'The application does not bump the version',
    shownBy: [
      shownBy(
        'database/detection-leasing.test.ts',
        'finds what the version does not show: a silent edit, a second edit in one tick, NULL',
      ),
      { invariant: 'complete' },
    ],
  },
  {
    number: 6,
    fault: 'What is written back touches the source row',
    shownBy: [
      shownBy(
        'postgres/bad-input/versions-and-keys.test.ts',
        'a trigger that bumps it on every update, of whatever column, costs touches and no calls',
      ),
    ],
  },
  {
    number: 7,
    fault: 'The version is bumped, the text is the same',
    shownBy: [
      shownBy('pipeline/embed-record.test.ts', 'that did not change since they were embedded are touched'),
      { invariant: 'bought-once' },
    ],
  },
  {
    number: 8,
    fault: 'A version lies in the future',
    shownBy: [
      shownBy('postgres/bad-input/versions-and-keys.test.ts', 'each is found, and none is an endless loop'),
    ],
  },
  {
    number: 9,
    fault: 'A version is NULL',
    shownBy: [
      shownBy(
        'database/detection-leasing.test.ts',
        'finds what the version does not show: a silent edit, a second edit in one tick, NULL',
      ),
    ],
  },
  {
    number: 10,
    fault: "The database's clock steps back",
    shownBy: [
      shownBy('database/embedding.test.ts', 'wins with its stamp after the clock stepped back'),
      { mutant: 'stamp-follows-clock' },
    ],
  },
  {
    number: 11,
    fault: 'Detection reads a replica that lags',
    deferred:
      'the pipeline reads and writes one database; a read-only server is refused (test/database/probes.test.ts), reading the source elsewhere is not offered',
  },
  {
    number: 12,
    fault: 'A rewrite of the table changes xmin of every row',
    shownBy: [
      shownBy('pipeline/embed-record.test.ts', 'that did not change since they were embedded are touched'),
      { mutant: 'row-version-ignored' },
    ],
  },
  {
    number: 13,
    fault: 'Ticks of detection overlap',
    shownBy: [
      shownBy('postgres/overlapping-ticks.test.ts', 'keep a second one of the same name out, and no other'),
      shownBy(
        'postgres/detection-concurrency.test.ts',
        'never name one row twice, whatever the callers do at the same time',
      ),
    ],
  },
  {
    number: 14,
    fault: 'Detection dies after sending, before it stores the watermark',
    shownBy: [
      shownBy(
        'simulation/simulation.test.ts',
        'survives the death of its process, a failure and a lost reply at every single port call',
      ),
    ],
  },
  {
    number: 15,
    fault: 'Detection dies in the middle of a page',
    shownBy: [
      shownBy(
        'simulation/simulation.test.ts',
        'survives the death of its process, a failure and a lost reply at every single port call',
      ),
      shownBy('pipeline/detect-stale-rows.test.ts', 'stops when the time runs short and goes on from there'),
    ],
  },
  {
    number: 16,
    fault: 'More rows than a page share one version',
    shownBy: [
      shownBy(
        'database/detection-leasing.test.ts',
        'leases stale rows from the watermark on, oldest first, and says where the limit cut',
      ),
      { mutant: 'watermark-passes-limit' },
    ],
  },
  {
    number: 17,
    fault: 'A batch of messages is taken in part',
    shownBy: [
      shownBy(
        'adapters/sqs/sqs-faults.test.ts',
        'names the position and code of a message that the queue refused, and does not repeat it',
      ),
      shownBy(
        'pipeline/detect-stale-rows.test.ts',
        'frees the rows that the queue refuses and stops the watermark at them',
      ),
    ],
  },
  {
    number: 18,
    fault: 'Detection runs out of time with a backlog',
    shownBy: [
      shownBy('pipeline/detect-stale-rows.test.ts', 'stops when the time runs short and goes on from there'),
    ],
  },
  {
    number: 19,
    fault: 'A stuck queue is filled with the same rows again and again',
    shownBy: [
      shownBy('pipeline/detect-stale-rows.test.ts', 'leases no more than the space may have in flight'),
      shownBy('database/detection-leasing.test.ts', 'leases a row once, and no fresh one'),
    ],
  },
  {
    number: 20,
    fault: 'A table is dropped or a column renamed',
    shownBy: [
      shownBy(
        'postgres/bad-input/changed-tables.test.ts',
        'between runs: %s; the source pauses with the reason, the other goes on',
      ),
    ],
  },
  {
    number: 21,
    fault: 'Keys of any type and characters',
    shownBy: [
      shownBy(
        'core/messages/write-message.test.ts',
        'writes every id so that a queue carries it and it is read back the same',
      ),
      shownBy('database/sources.test.ts', 'takes a key of type %s'),
    ],
  },
  {
    number: 22,
    fault: 'A key is changed by UPDATE',
    deferred:
      'it is a deletion and an insertion to the pipeline; each is tested (faults 26 and 61), the two together by no test of their own',
  },
  {
    number: 23,
    fault: 'The query of detection becomes a sequential scan',
    shownBy: [
      shownBy('database/doctor.test.ts', 'gives the statement for the index that the incremental pass lacks'),
    ],
  },
  {
    number: 24,
    fault: 'A policy hides rows from the role',
    shownBy: [
      shownBy('database/doctor.test.ts', 'says when row-level security applies'),
      shownBy(
        'postgres/bad-input/lost-rows.test.ts',
        'deletes no vector of rows that a policy hides, and says why',
      ),
    ],
  },
  { number: 25, fault: 'Soft deletion', deferred: 'a feature that is not built' },
  {
    number: 26,
    fault: 'A row is deleted before it is detected',
    shownBy: [
      shownBy(
        'database/detection.test.ts',
        'marks rows that are gone, and deletes them an hour and a pass later',
      ),
      { invariant: 'no-ghosts' },
    ],
  },
  {
    number: 27,
    fault: 'Ticks are missed',
    shownBy: [
      shownBy(
        'constructs/alarms.test.ts',
        'go off when a row waits longer than promised, and when nobody tells',
      ),
    ],
  },
  {
    number: 28,
    fault: 'A message is delivered twice',
    shownBy: [
      shownBy('pipeline/write-record.test.ts', 'changes nothing when it is delivered again'),
      { invariant: 'bought-once' },
    ],
  },
  {
    number: 29,
    fault: 'Messages are reordered',
    shownBy: [
      shownBy('database/writing.test.ts', 'keeps the later result when an older one arrives after it'),
      { invariant: 'newest-wins' },
    ],
  },
  {
    number: 30,
    fault: 'A message becomes visible while its first delivery is worked on',
    shownBy: [
      shownBy(
        'constructs/pipeline-stack.test.ts',
        'stay invisible six times as long as their function may run, and its batching window on top',
      ),
      shownBy('simulation/simulation.test.ts', 'keeps every invariant in ${SEEDS} histories'),
    ],
  },
  {
    number: 31,
    fault: 'The time of an invocation runs out in a batch',
    shownBy: [
      shownBy(
        'functions/handlers.test.ts',
        'give back a record that hangs when the time runs out, and no other',
      ),
    ],
  },
  {
    number: 32,
    fault: 'A process is killed',
    shownBy: [
      shownBy(
        'postgres/killed-runs.test.ts',
        'leave nothing wrong, nothing lost and nothing that the next run waits for, ${KILLS} times over',
      ),
      shownBy(
        'simulation/simulation.test.ts',
        'survives the death of its process, a failure and a lost reply at every single port call',
      ),
    ],
  },
  {
    number: 33,
    fault: 'A handler throws instead of answering for each record',
    shownBy: [
      shownBy(
        'functions/handlers.test.ts',
        'puts every record in exactly one of done and failed, whatever its step does',
      ),
    ],
  },
  {
    number: 34,
    fault: 'An item identifier is wrong or empty',
    shownBy: [
      shownBy(
        'functions/handlers.test.ts',
        'puts every record in exactly one of done and failed, whatever its step does',
      ),
    ],
  },
  {
    number: 35,
    fault: 'A swallowed error looks like success',
    shownBy: [
      shownBy(
        'functions/handlers.test.ts',
        'puts every record in exactly one of done and failed, whatever its step does',
      ),
      { invariant: 'accounted' },
    ],
  },
  {
    number: 36,
    fault: 'The mapping does not ask for partial answers',
    shownBy: [shownBy('constructs/pipeline-stack.test.ts', 'report each message on its own, and are open')],
  },
  {
    number: 37,
    fault: 'A message cannot be read',
    shownBy: [shownBy('functions/handlers.test.ts', 'fail a poison message alone')],
  },
  {
    number: 38,
    fault: 'Two versions meet during a deployment',
    shownBy: [
      shownBy(
        'core/messages/parse-messages.test.ts',
        'fails for anything else in one way, and does not repeat it',
      ),
    ],
  },
  {
    number: 39,
    fault: 'An outage burns receives',
    shownBy: [
      shownBy(
        'pipeline/run-until-fresh.test.ts',
        'survives 30 minutes of 429s without a dead letter, a lost row or a counted attempt',
      ),
      shownBy('pipeline/guard-pipeline.test.ts', 'has its event sources closed, and no other'),
      { invariant: 'honest-dead-letters' },
    ],
  },
  {
    number: 40,
    fault: 'Throttled invocations age messages',
    shownBy: [
      shownBy(
        'constructs/alarms.test.ts',
        'go off at errors and throttles of every function, and near the end of its time',
      ),
    ],
  },
  {
    number: 41,
    fault: 'A receive counts that nobody saw',
    shownBy: [
      shownBy(
        'constructs/pipeline-stack.test.ts',
        'count at least five receives, and keep dead letters for longer than they kept the message',
      ),
    ],
  },
  {
    number: 42,
    fault: 'Too many messages in flight',
    shownBy: [
      shownBy('pipeline/detect-stale-rows.test.ts', 'leases no more than the space may have in flight'),
    ],
  },
  {
    number: 43,
    fault: 'A message is too large',
    shownBy: [
      shownBy(
        'adapters/sqs/pack-entries.test.ts',
        'batches hold every message once, in order, within ten entries and 1 MiB',
      ),
      shownBy(
        'pipeline/run-until-fresh.test.ts',
        'embeds rows whose keys are so long that no message holds a batch of them',
      ),
    ],
  },
  {
    number: 44,
    fault: 'The queue throttles or fails',
    shownBy: [
      shownBy('adapters/sqs/sqs-faults.test.ts', 'throttled three times is throttled'),
      shownBy('adapters/sqs/sqs-faults.test.ts', 'goes over a new connection when the kept one is dead'),
    ],
  },
  {
    number: 45,
    fault: 'A send succeeded and its reply was lost',
    shownBy: [
      shownBy('pipeline/detect-stale-rows.test.ts', 'frees every row when nothing is known of a send'),
      shownBy(
        'simulation/simulation.test.ts',
        'survives the death of its process, a failure and a lost reply at every single port call',
      ),
    ],
  },
  {
    number: 46,
    fault: 'Messages expire in the queue',
    shownBy: [
      shownBy(
        'database/detection-leasing.test.ts',
        'leases expired rows again whatever the watermark, counts only what had begun, and puts that last',
      ),
      shownBy('simulation/simulation.test.ts', 'keeps every invariant in ${SEEDS} histories'),
    ],
  },
  {
    number: 47,
    fault: 'A dead letter inherits its age',
    shownBy: [
      shownBy(
        'constructs/pipeline-stack.test.ts',
        'count at least five receives, and keep dead letters for longer than they kept the message',
      ),
      shownBy('constructs/alarms.test.ts', 'go off at the first dead letter of every queue'),
    ],
  },
  {
    number: 48,
    fault: 'A redrive goes to the wrong queue',
    shownBy: [
      shownBy(
        'wiring/lambda-operate.test.ts',
        'the wired function answers, and refuses a queue that the deployment does not have',
      ),
    ],
  },
  {
    number: 49,
    fault: 'Old messages are redriven after edits',
    shownBy: [
      shownBy('simulation/simulation.test.ts', 'keeps every invariant in ${SEEDS} histories'),
      shownBy('database/embedding.test.ts', 'begins rows of its dispatch, expired ones too, and no others'),
    ],
  },
  {
    number: 50,
    fault: 'Messages are redriven after their space was retired',
    shownBy: [shownBy('pipeline/embed-record.test.ts', 'is dropped with a reason when its space is retired')],
  },
  {
    number: 51,
    fault: 'A result arrives after its space was retired',
    shownBy: [shownBy('pipeline/write-record.test.ts', 'of a retired space is dropped with a reason')],
  },
  {
    number: 52,
    fault: 'A pause while rows are in flight',
    shownBy: [
      shownBy(
        'pipeline/embed-record.test.ts',
        'is not called any more once a pause is set between two calls, and keeps what was bought',
      ),
      { invariant: 'nothing-after-pause' },
    ],
  },
  {
    number: 53,
    fault: 'The reasons of a pause cannot be read',
    shownBy: [
      shownBy(
        'pipeline/guard-pipeline.test.ts',
        'closes everything after a second look, and opens it when it is back',
      ),
    ],
  },
  {
    number: 54,
    fault: 'Two who pause',
    shownBy: [
      shownBy('database/control-store.test.ts', 'keeps reasons apart and resumes only the one that is named'),
      { invariant: 'own-reason' },
    ],
  },
  {
    number: 55,
    fault: 'A mapping is disabled by hand and forgotten',
    shownBy: [
      shownBy('pipeline/guard-pipeline.test.ts', 'that was closed by hand is reported and never opened'),
    ],
  },
  {
    number: 56,
    fault: 'A thawed process has dead connections',
    shownBy: [
      shownBy(
        'functions/lazily-wired.test.ts',
        'closes what no longer answers after a freeze and opens anew',
      ),
      shownBy(
        'postgres/deployed-functions.test.ts',
        'works on within seconds where the network forgot the connection',
      ),
    ],
  },
  {
    number: 57,
    fault: 'Work goes on after the handler returned',
    shownBy: [{ invariant: 'nothing-after-return' }],
  },
  {
    number: 58,
    fault: 'A function sends to its own queue',
    shownBy: [shownBy('constructs/roles.test.ts', 'let detect send ids, and nothing else')],
  },
  {
    number: 59,
    fault: 'Cold starts open too many connections',
    shownBy: [
      shownBy(
        'core/config/require-deployable.test.ts',
        'that can hold as many connections as it may is refused, with the sum',
      ),
    ],
  },
  {
    number: 60,
    fault: 'A row is edited between reading and writing',
    shownBy: [
      shownBy('database/writing-edits-in-flight.test.ts', 'is dispatched again at once'),
      { invariant: 'honest-outcome' },
    ],
  },
  {
    number: 61,
    fault: 'A row is deleted on the way',
    shownBy: [
      shownBy(
        'database/writing-edits-in-flight.test.ts',
        'between reading and writing writes nothing and loses its lease',
      ),
      { mutant: 'upsert-of-deleted-rows' },
    ],
  },
  {
    number: 62,
    fault: 'A text is empty',
    shownBy: [
      shownBy('pipeline/embed-record.test.ts', 'that are empty or blank are excluded without a call'),
    ],
  },
  {
    number: 63,
    fault: 'A NUL in a joined text',
    shownBy: [shownBy('core/text/prepare-text.test.ts', 'makes lone surrogates and NUL harmless')],
  },
  {
    number: 64,
    fault: 'Lone surrogates',
    shownBy: [shownBy('core/text/prepare-text.test.ts', 'makes lone surrogates and NUL harmless')],
  },
  {
    number: 65,
    fault: 'A text over the limit',
    shownBy: [
      shownBy('pipeline/embed-record.test.ts', 'over the limit are cut by tokens, with both lengths kept'),
      shownBy('core/errors/classify-provider-failure.test.ts', 'Faults 65–69'),
    ],
  },
  {
    number: 66,
    fault: 'The estimate of tokens is below the truth',
    shownBy: [
      shownBy(
        'pipeline/embed-record.test.ts',
        'that finds one text too large leaves it out and embeds the others',
      ),
    ],
  },
  {
    number: 67,
    fault: 'A batch over the limits of a call',
    shownBy: [
      shownBy(
        'core/packing/pack-texts.test.ts',
        'keeps order and limits, and no two neighbours would fit one call',
      ),
    ],
  },
  {
    number: 68,
    fault: 'The provider finds a request too large',
    shownBy: [shownBy('pipeline/embed-record.test.ts', 'that a call is too large has it split in halves')],
  },
  {
    number: 69,
    fault: 'One bad text in a hundred',
    shownBy: [
      shownBy(
        'pipeline/embed-record.test.ts',
        'at %i of 100 costs at most 15 extra calls; the other 99 are embedded in the same run',
      ),
    ],
  },
  {
    number: 70,
    fault: 'Taking batches apart explodes calls',
    shownBy: [
      shownBy(
        'pipeline/embed-record.test.ts',
        'times many uses up the call budget; what was bought is kept and the rest comes back',
      ),
    ],
  },
  {
    number: 71,
    fault: 'Equal texts in a batch',
    shownBy: [
      shownBy(
        'pipeline/embed-record.test.ts',
        'that are equal within a message are bought once and stored for every row',
      ),
    ],
  },
  {
    number: 72,
    fault: 'One id twice in a batch of writes',
    shownBy: [
      shownBy('database/writing.test.ts', 'writes an id that stands twice once, by its latest reading'),
    ],
  },
  {
    number: 73,
    fault: 'A change of the recipe changes hashes',
    shownBy: [
      shownBy(
        'core/text/fingerprints.test.ts',
        'stays what it was: a change means buying every vector again',
      ),
    ],
  },
  {
    number: 74,
    fault: 'Concatenation makes different texts equal',
    shownBy: [shownBy('core/text/fingerprints.test.ts', 'tells lists apart that read alike when joined')],
  },
  {
    number: 75,
    fault: '429 with a time to wait',
    shownBy: [
      shownBy(
        'pipeline/embed-record.test.ts',
        'that throttles for longer has the message hidden for as long as it asked',
      ),
    ],
  },
  {
    number: 76,
    fault: '429 without',
    shownBy: [
      shownBy('pipeline/embed-record.test.ts', 'that throttles for a short time is waited for'),
      shownBy('core/errors/classify-provider-failure.test.ts', 'Faults 75–78'),
    ],
  },
  {
    number: 77,
    fault: '429 because of a ramp',
    shownBy: [shownBy('core/errors/classify-provider-failure.test.ts', 'Faults 75–78'), UNDERSTOOD],
  },
  {
    number: 78,
    fault: '429 because of money',
    shownBy: [
      shownBy(
        'pipeline/outages.test.ts',
        'half an hour without credit is one call per worker, a pause with its reason, and no row lost',
      ),
      shownBy('pipeline/guard-pipeline.test.ts', 'is probed every 15 minutes where somebody has to pay'),
    ],
  },
  {
    number: 79,
    fault: '401',
    shownBy: [
      shownBy(
        'adapters/network/call-with-key.test.ts',
        'reads a refused key once more, past the cache, and calls once more',
      ),
      shownBy('adapters/network/call-with-key.test.ts', 'stops at the second refusal'),
    ],
  },
  {
    number: 80,
    fault: '403 and 404',
    shownBy: [shownBy('core/errors/classify-provider-failure.test.ts', 'Faults 79–81'), UNDERSTOOD],
  },
  {
    number: 81,
    fault: '400 for every text, by configuration',
    shownBy: [
      shownBy(
        'pipeline/embed-record.test.ts',
        'is no verdict when every text is refused alike: the model is paused and nothing lost',
      ),
    ],
  },
  {
    number: 82,
    fault: '5xx and HTML',
    shownBy: [shownBy('core/errors/classify-provider-failure.test.ts', 'Faults 82–86'), UNDERSTOOD],
  },
  {
    number: 83,
    fault: 'No connection',
    shownBy: [
      shownBy('adapters/openai/openai-provider.test.ts', 'is tried again when nobody listens'),
      UNDERSTOOD,
    ],
  },
  {
    number: 84,
    fault: 'No headers',
    shownBy: [
      shownBy('pipeline/embed-record.test.ts', 'has a deadline within the time that is left'),
      UNDERSTOOD,
    ],
  },
  { number: 85, fault: 'A slow body', shownBy: [UNDERSTOOD] },
  { number: 86, fault: 'A cut body', shownBy: [UNDERSTOOD] },
  { number: 87, fault: '200 with something else', shownBy: [UNDERSTOOD] },
  {
    number: 88,
    fault: 'Another number of vectors',
    shownBy: [
      shownBy(
        'pipeline/embed-record.test.ts',
        'with too few vectors is repeated, then taken apart; nothing wrong is stored',
      ),
      { mutant: 'count-unchecked' },
    ],
  },
  {
    number: 89,
    fault: 'Indexes that are no permutation',
    shownBy: [
      shownBy('core/reply/validate-reply.test.ts', 'rejects indexes %o'),
      { mutant: 'index-ignored' },
    ],
  },
  {
    number: 90,
    fault: 'Other dimensions',
    shownBy: [
      shownBy(
        'core/reply/validate-reply.test.ts',
        'stops, with the number to configure, when every vector has another length',
      ),
    ],
  },
  {
    number: 91,
    fault: 'Components that are no numbers',
    shownBy: [
      shownBy(
        'pipeline/embed-record.test.ts',
        'with an unusable vector has that text tried once more, then refused',
      ),
      { mutant: 'values-unchecked' },
    ],
  },
  {
    number: 92,
    fault: 'A zero vector, or one of another norm',
    shownBy: [
      UNDERSTOOD,
      shownBy(
        'pipeline/check-model.test.ts',
        'finds vectors whose length is not what the configuration says',
      ),
    ],
  },
  {
    number: 93,
    fault: 'The reply names another model',
    shownBy: [
      shownBy(
        'pipeline/embed-record.test.ts',
        'whose reply names another known model is paused, and what it counted stays in the ledger',
      ),
    ],
  },
  {
    number: 94,
    fault: 'The model changed behind its name',
    shownBy: [shownBy('pipeline/check-model.test.ts', 'says what differs, and which line to change')],
    deferred: 'only where somebody looks (start, deployment, doctor): daily canaries are deferred',
  },
  {
    number: 95,
    fault: 'A call was paid and its result lost',
    shownBy: [
      { invariant: 'cost-bound' },
      shownBy(
        'simulation/simulation.test.ts',
        'survives the death of its process, a failure and a lost reply at every single port call',
      ),
    ],
  },
  {
    number: 96,
    fault: 'A redirect',
    shownBy: [
      shownBy('adapters/openai/openai-provider.test.ts', 'stops at a redirect and sends nothing after it'),
    ],
  },
  {
    number: 97,
    fault: 'Settings in the environment of the SDK',
    shownBy: [shownBy('adapters/openai/openai-provider.test.ts', 'changes nothing, however hostile')],
  },
  {
    number: 98,
    fault: 'Many processes share one rate limit',
    shownBy: [
      shownBy(
        'pipeline/rates.test.ts',
        'uses its %s to 95 percent, and is refused for one call of a hundred at most',
      ),
    ],
  },
  {
    number: 99,
    fault: 'A budget is used up in the middle',
    shownBy: [
      shownBy(
        'database/caps.test.ts',
        'allows calls up to it, and refuses the call that would go beyond with a pause that says why',
      ),
    ],
  },
  {
    number: 100,
    fault: 'No usage in the reply, or a wrong one',
    shownBy: [
      shownBy(
        'pipeline/embed-record.test.ts',
        'whose call timed out leaves its estimate in the ledger, for it may have been billed',
      ),
      shownBy('adapters/openai/openai-provider.test.ts', 'tells of no tokens rather than of none used'),
    ],
  },
  {
    number: 101,
    fault: 'ModelError of SageMaker',
    shownBy: [shownBy('core/errors/classify-provider-failure.test.ts', 'Faults 101–109'), UNDERSTOOD],
  },
  {
    number: 102,
    fault: 'The codes of TEI',
    shownBy: [shownBy('core/errors/classify-provider-failure.test.ts', 'Faults 101–109'), UNDERSTOOD],
  },
  {
    number: 103,
    fault: 'ThrottlingException',
    shownBy: [shownBy('core/errors/classify-provider-failure.test.ts', 'Faults 101–109'), UNDERSTOOD],
  },
  {
    number: 104,
    fault: 'An endpoint that is scaled to zero',
    shownBy: [
      shownBy(
        'core/errors/classify-provider-failure.test.ts',
        'asks a cold endpoint again within a minute, or when it says',
      ),
      UNDERSTOOD,
    ],
  },
  {
    number: 105,
    fault: 'ModelNotReadyException',
    shownBy: [shownBy('core/errors/classify-provider-failure.test.ts', 'Faults 101–109'), UNDERSTOOD],
  },
  { number: 106, fault: 'The container takes longer than a minute', shownBy: [UNDERSTOOD] },
  {
    number: 107,
    fault: 'A payload over the limit',
    shownBy: [
      shownBy(
        'adapters/provider-requests.test.ts',
        'sends no request over the limit, though its texts are under it',
      ),
    ],
  },
  {
    number: 108,
    fault: 'The endpoint is changed or gone',
    shownBy: [shownBy('core/errors/classify-provider-failure.test.ts', 'Faults 101–109'), UNDERSTOOD],
  },
  {
    number: 109,
    fault: 'TEI answers empty vectors',
    shownBy: [
      shownBy(
        'pipeline/embed-record.test.ts',
        'with an unusable vector has that text tried once more, then refused',
      ),
      UNDERSTOOD,
    ],
  },
  {
    number: 110,
    fault: 'S3 slows down or fails',
    shownBy: [
      shownBy(
        'adapters/s3/s3-faults.test.ts',
        'slowed down again and again is transient, after three requests',
      ),
    ],
  },
  {
    number: 111,
    fault: 'The object is missing',
    shownBy: [
      shownBy(
        'pipeline/write-record.test.ts',
        'whose object is missing is dropped with a reason and its rows are free',
      ),
    ],
  },
  {
    number: 112,
    fault: 'The object is corrupt',
    shownBy: [
      shownBy('core/result/result-codec.test.ts', 'is read within its bytes or refused, whichever bit flips'),
      { mutant: 'digest-unchecked' },
    ],
  },
  {
    number: 113,
    fault: 'The object was overwritten',
    shownBy: [
      shownBy(
        'adapters/s3/s3-faults.test.ts',
        'fails where another object stands under its key, however often it is asked',
      ),
      { mutant: 'one-key-per-dispatch' },
    ],
  },
  {
    number: 114,
    fault: 'Objects without a message',
    shownBy: [
      shownBy(
        'constructs/pipeline-stack.test.ts',
        'is private, and outlives every message that can name an object',
      ),
    ],
  },
  {
    number: 115,
    fault: 'The database fails over, a backend dies',
    shownBy: [
      shownBy(
        'postgres/open-postgres.test.ts',
        'classifies a statement whose connection the server ends as transient',
      ),
      shownBy(
        'postgres/deployed-functions.test.ts',
        'gives every record back while the server is gone, and works on when it is back',
      ),
      shownBy('core/errors/classify-database-failure.test.ts', 'Faults 115 and 116'),
    ],
  },
  {
    number: 116,
    fault: 'Deadlocks, timeouts, a full disk, a read-only server',
    shownBy: [
      shownBy(
        'pipeline/write-record.test.ts',
        'that says stop (%s) pauses the pipeline, so that embed buys no more',
      ),
      shownBy(
        'postgres/writing-concurrency.test.ts',
        'turns a deadlock into a failure that may be tried again',
      ),
    ],
  },
  {
    number: 117,
    fault: 'Dimensions that do not fit, vectors too wide for an index',
    shownBy: [
      shownBy('database/writing.test.ts', 'rejects vectors of another length and writes nothing'),
      shownBy(
        'core/config/require-deployable.test.ts',
        'of vectors too wide for a search index is refused, with the size to give',
      ),
    ],
  },
  {
    number: 118,
    fault: 'Faults of pgvector and of building its index',
    shownBy: [
      shownBy('postgres/deployed-functions.test.ts', 'refuses a pgvector that is too old'),
      shownBy('database/doctor.test.ts', 'asks for a search index once there are over 10,000 vectors'),
    ],
  },
  {
    number: 119,
    fault: 'A secret is rotated, a token ends, a setting is mistyped, metrics are lost',
    shownBy: [
      shownBy(
        'adapters/postgres/open-endpoint.test.ts',
        'changes under an open pool without a statement failing',
      ),
      shownBy('adapters/rds-signer/create-iam-login.test.ts', 'is signed anew for every connection'),
      shownBy(
        'core/config/parse-config.test.ts',
        'names a misspelt key by its path with the nearest valid key, and not also as missing',
      ),
      shownBy(
        'functions/handlers.test.ts',
        'throw before the time is over when a tick of detect hangs, with its metrics written',
      ),
    ],
  },
];

function shownBy(file: string, title: string): { readonly file: string; readonly title: string } {
  return { file, title };
}
