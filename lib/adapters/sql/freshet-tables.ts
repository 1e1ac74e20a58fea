import type { Generated, Selectable } from 'kysely';
import type { Lane, LeaseStage, SpaceStatus } from '../../core/model.ts';

/**
 * Schema `freshet` as kysely sees it; the names of the tables are qualified.
 * Timestamps are read as text (`::text`) and written as text, because a JS `Date` drops
 * microseconds.
 */
export interface FreshetTables {
  'freshet.migrations': {
    version: number;
    name: string;
    applied_at: Generated<string>;
    /** The oldest version whose code may run on the schema; NULL: the row's own version. */
    compatible_from: Generated<number | null>;
  };
  'freshet.spaces': {
    space_id: Generated<number>;
    fingerprint: string;
    source_name: string;
    model_alias: string;
    provider: string;
    model_id: string;
    revision: string;
    dimensions: number;
    recipe: string;
    table_oid: number;
    table_schema: string;
    table_name: string;
    key_column: string;
    key_type: string;
    version_column: string;
    version_type: string;
    status: SpaceStatus;
    created_at: Generated<string>;
    activated_at: string | null;
    row_version: Generated<'xmin' | 'hash'>;
  };
  'freshet.positions': {
    space_id: number;
    watermark: string | null;
    reconcile_cursor: string | null;
    pass_open: Generated<boolean>;
    pass_started_at: string | null;
    last_pass_ended_at: string | null;
    last_pass_started_at: string | null;
    /** Since when stale rows wait without a lease; NULL: the last look left none. */
    unsent_since: string | null;
    /** `jsonb`; `partitions.ts` has its shape. */
    partitions: Generated<string>;
  };
  'freshet.leases': {
    space_id: number;
    item_id: string;
    dispatch_id: string;
    lane: Lane;
    stage: LeaseStage;
    attempts: number;
    run_id: number | null;
    first_seen: Generated<string>;
    expires_at: string;
    /** The hash of the text whose batch the row waits for; NULL: it waits for none. */
    waits_for: Buffer | null;
    /** The version with which the row waits. */
    waits_version: string | null;
  };
  'freshet.failures': {
    space_id: number;
    content_hash: string;
    failure_class: string;
    code: string;
    attempts: number;
    first_at: Generated<string>;
    last_at: Generated<string>;
  };
  'freshet.ledger': {
    call_id: string;
    space_id: number;
    model_alias: string;
    lane: Lane;
    items: number;
    unique_texts: number;
    tokens: number;
    cost_usd: number;
    latency_ms: number;
    outcome: string;
    request_id: string | null;
    run_id: number | null;
    recorded_at: Generated<string>;
    /** What its grant reserved; NULL: the call had no grant, or an older writer entered it. */
    estimated_tokens: number | null;
    /** What of the cost bought stored texts; NULL: all of it, where it was answered for rows. */
    necessary_usd: number | null;
  };
  /** What was spent in hours that are over. */
  'freshet.spending': { hour: string; space_id: number; cost_usd: number };
  /** What was spent on vectors for searches and clients, by process, model and moment. */
  'freshet.query_ledger': {
    entry_id: string;
    model_alias: string;
    calls: number;
    texts: number;
    tokens: number;
    cost_usd: number;
    recorded_at: Generated<string>;
  };
  /** Its sums of the hours that are over. */
  'freshet.query_spending': {
    hour: string;
    model_alias: string;
    calls: number;
    texts: number;
    tokens: number;
    cost_usd: number;
  };
  'freshet.grants': {
    call_id: string;
    space_id: number;
    model_alias: string;
    estimated_tokens: number;
    estimated_cost_usd: number;
    granted_at: Generated<string>;
    run_id: number | null;
    dispatch_id: string | null;
    item_ids: readonly string[] | null;
    lost_at: string | null;
  };
  'freshet.paces': {
    model_alias: string;
    texts_per_call: number | null;
    calls_at_once: number | null;
    seconds_per_token: number | null;
    /** Of each turn the second since the epoch at which it frees itself, by its id. */
    in_flight: Generated<Readonly<Record<string, number>>>;
    requests_per_minute: number | null;
    tokens_per_minute: number | null;
    /** When what was granted is paid off; times of the rate are seconds since the epoch. */
    requests_due: number | null;
    tokens_due: number | null;
    /** The share of the limits that refusals left, at `throttled_at`; until then none lowers it. */
    rate_share: Generated<number>;
    throttled_at: number | null;
    waits_until: number | null;
    /** Until when bulk work lets edits go first. */
    fresh_waits_until: number | null;
    /** Until when the moments are given away at which refused messages of a lane come back. */
    fresh_slots_until: number | null;
    bulk_slots_until: number | null;
    /** When the rate was last granted. */
    granted_at: number | null;
    /** When a call was last answered rightly. */
    answered_at: number | null;
    changed_at: Generated<string>;
  };
  'freshet.batches': {
    batch_id: string;
    space_id: number;
    model_alias: string;
    state: 'submitting' | 'open' | 'settled' | 'ended';
    provider_batch_id: string | null;
    input_file_id: string | null;
    file_ids: Generated<readonly string[]>;
    texts: number;
    tokens: number;
    usd_per_million_tokens: number;
    dimensions: number;
    normalized: boolean;
    outcome: string | null;
    created_at: Generated<string>;
    fenced_at: string | null;
    cancelled_at: string | null;
    released_at: string | null;
    ended_at: string | null;
    looks_at_end: Generated<number>;
    next_look_at: string;
  };
  'freshet.batch_texts': {
    space_id: number;
    content_hash: Buffer;
    state: Generated<'collected' | 'open' | 'ready' | 'live'>;
    item_id: string;
    tokens: number;
    batch_id: string | null;
    paid: Generated<boolean>;
    beside: Generated<boolean>;
    vector: Buffer | null;
    collected_at: Generated<string>;
    changed_at: Generated<string>;
  };
  'freshet.documents': {
    tenant: string;
    asset_id: string;
    segment_id: string;
    document: Generated<string>;
    metadata: Generated<string>;
    /** Of the present text, in hexadecimal; `fingerprintDocument` makes it. */
    text_hash: string;
    updated_at: string;
  };
  'freshet.document_texts': { document: string; text_hash: string; text: string };
  'freshet.document_jobs': {
    job_id: string;
    document: string;
    text_hash: string;
    model_alias: string;
    requested_at: Generated<string>;
  };
  'freshet.erasures': {
    receipt_id: Generated<string>;
    tenant: string;
    asset_id: string;
    /** NULL: all segments of the asset. */
    segment_id: string | null;
    text_hashes: readonly string[];
    vectors: Generated<number>;
    requested_at: Generated<string>;
    /** A moment after which no new transaction sees the documents; NULL: not known yet. */
    erased_at: string | null;
    completed_at: string | null;
  };
  'freshet.batch_holds': { model_alias: string; until: string; code: string };
  'freshet.control': {
    scope: string;
    reason: string;
    detail: string;
    since: Generated<string>;
    probed_at: Generated<string | null>;
  };
}

/** Names the table of schema `freshet` that holds the space's outcomes and their vectors. */
export function vectorTableOf(spaceId: number): string {
  return `vectors_${spaceId}`;
}

export type SpaceRow = Selectable<FreshetTables['freshet.spaces']>;
