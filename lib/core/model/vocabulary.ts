/**
 * The words of the code, each with one meaning.
 *
 * - *space*: one source embedded by one model under one text recipe. A space owns one vector table.
 * - *outcome*: what became of a source row in a space. An outcome is one row of the vector table.
 * - *stale*: the outcome is missing, or it was made from another version of the source row.
 * - *lease*: a mark on a row of a space that is on its way. Nobody else sends the row until the
 *   lease expires.
 * - *dispatch*: one act of leasing and sending. A lease belongs to exactly one dispatch.
 * - *lane*: `fresh` for edits, `bulk` for backfill. Edits never wait behind a backfill.
 * - *version*: the source row's `updated_at` as text in the column's own type. Versions are not
 *   ordered: they can repeat and go back.
 * - *stamp* (`readAt`): when the text was read. The latest stamp wins; versions never decide who
 *   wins.
 * - *touch*: a new version of a row whose prepared text did not change.
 * - *copy*: a row whose text another row already paid for.
 * - *verdict*: a content hash that the provider refused. The text is never bought again.
 * - *ledger*: one row per provider call, keyed by our own call id.
 */

export type Lane = 'fresh' | 'bulk';

/**
 * How far a leased row is on its way.
 *
 * - `sending`: leased, and not yet confirmed as sent.
 * - `queued`: sent.
 * - `embedding`: an embed worker has begun.
 * - `announced`: the result waits for the writer.
 */
export type LeaseStage = 'sending' | 'queued' | 'embedding' | 'announced';

/**
 * Which part a space has for its source.
 *
 * - `active`: the view of the source shows this space. A source has at most one.
 * - `building`: the configuration names this space too.
 * - `retired`: the configuration does not name this space any more.
 */
export type SpaceStatus = 'building' | 'active' | 'retired';

/**
 * What became of a source row in a space.
 * `refused:<code>` carries the provider's mapped code, never its message. `undelivered` alone means
 * that embedding began too often. `undelivered:<code>` means an outage, where the source is
 * configured to record outages.
 */
export type Outcome =
  | 'embedded'
  | 'excluded:empty'
  | 'too-long'
  | 'undelivered'
  | `undelivered:${string}`
  | `refused:${string}`;

/**
 * Why a call failed, which decides what is done about it.
 * `docs/architecture.md` has the table.
 */
export type FailureClass = 'throttled' | 'transient' | 'too-large' | 'item' | 'stop' | 'unknown';
