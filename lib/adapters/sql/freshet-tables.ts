import type { Generated, Selectable } from 'kysely';
import type { Lane, LeaseStage, SpaceStatus } from '../../core/model.ts';

/**
 * Schema `freshet` as kysely sees it; the names of the tables are qualified.
 * Timestamps are read as text (`::text`) and written as text, because a JS `Date` drops
 * microseconds.
 */
export interface FreshetTables {
  'freshet.migrations': { version: number; name: string; applied_at: Generated<string> };
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
  };
  'freshet.positions': {
    space_id: number;
    watermark: string | null;
    reconcile_cursor: string | null;
    pass_open: Generated<boolean>;
    pass_started_at: string | null;
    last_pass_ended_at: string | null;
    last_pass_started_at: string | null;
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
  };
  'freshet.grants': {
    call_id: string;
    space_id: number;
    model_alias: string;
    estimated_tokens: number;
    estimated_cost_usd: number;
    granted_at: Generated<string>;
  };
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
