/**
 * The words of the code, each with one meaning.
 *
 * - *space*: one source embedded by one model under one text recipe. It owns one vector table.
 * - *outcome*: what became of a source row in a space, one row of the vector table.
 * - *stale*: the outcome row is missing, or it was made from another version of the source row.
 * - *lease*: a row of a space that is on its way; nobody else sends it until the lease expires.
 * - *dispatch*: one act of leasing and sending. A lease belongs to exactly one dispatch.
 * - *lane*: `fresh` for edits, `bulk` for backfill; edits never wait behind a backfill.
 * - *version*: the source row's `updated_at` as text in the column's own type. It is not ordered: it can repeat and go back.
 * - *stamp* (`readAt`): when the text was read. The latest stamp wins; versions never decide who wins.
 * - *touch*: a new version of a row whose prepared text did not change. *copy*: a row whose text another row already paid for.
 * - *verdict*: a content hash that the provider refused; it is never bought again.
 * - *ledger*: one row per provider call, keyed by our own call id.
 */

export type Lane = 'fresh' | 'bulk';

/** `sending`: leased, not yet confirmed sent; `queued`: sent; `embedding`: an embed worker has begun; `announced`: its result waits for the writer. */
export type LeaseStage = 'sending' | 'queued' | 'embedding' | 'announced';

export type SpaceStatus = 'building' | 'active' | 'retired';

/**
 * `refused:<code>` carries the provider's mapped code, never its message. `undelivered` alone: embedding began too often; with a code:
 * an outage, where the source is configured to record it.
 */
export type Outcome =
  | 'embedded'
  | 'excluded:empty'
  | 'too-long'
  | 'undelivered'
  | `undelivered:${string}`
  | `refused:${string}`;

/** Why a call failed, and thereby what is done about it. `docs/architecture.md` has the table. */
export type FailureClass = 'throttled' | 'transient' | 'too-large' | 'item' | 'stop' | 'unknown';
