import type { ModelPlace, ProviderName } from './providers.ts';

/** A model as the registry resolves an alias, with the keys of its place. */
export interface ModelDefinition extends ModelPlace {
  readonly alias: string;
  readonly provider: ProviderName;
  /** The provider's own name of the model. */
  readonly modelId: string;
  /**
   * Pinned revision of the weights, or `latest` where nobody pins one.
   * The revision is part of the space's fingerprint.
   */
  readonly revision: string;
  readonly dimensions: number;
  /**
   * Longest text in tokens. Undefined: no limit.
   * Longer texts are cut or skipped, as the source says.
   */
  readonly maxTokensPerText?: number | undefined;
  /** Text before every document text. The prefix is part of the space's fingerprint. */
  readonly documentPrefix: string;
  readonly queryPrefix: string;
  /** Whether vectors have length 1. If so, every reply is checked for it. */
  readonly normalized: boolean;
  readonly usdPerMillionTokens: number;
  /** Whether the endpoint accepts `dimensions` (OpenAI's third generation does). */
  readonly sendDimensions: boolean;
  /** `http`: whether each text's SHA-256 travels with it, for a server that caches by it. */
  readonly sendTextHashes?: boolean | undefined;
  /**
   * Limits of one call, instead of the provider's usual ones.
   * They are never wider than what the provider's adapter can take.
   */
  readonly limits?:
    | {
        readonly maxTextsPerCall?: number | undefined;
        readonly maxTokensPerCall?: number | undefined;
        readonly maxBytesPerCall?: number | undefined;
      }
    | undefined;
  /** Time limit of one call. Undefined: the pipeline's. */
  readonly timeoutSeconds?: number | undefined;
  /** Tries after the first within one invocation. Undefined: 2. */
  readonly maxRetries?: number | undefined;
  /** With `off`, the model's vectors are not compared with its golden vectors. */
  readonly check?: 'on' | 'off' | undefined;
}

/**
 * A source as configured, checked against `pg_catalog`.
 * Identifiers are raw: every statement quotes them.
 */
export interface ResolvedSource {
  readonly name: string;
  readonly schema: string;
  readonly table: string;
  /** `pg_class.oid` at resolution. Another OID later means that the table was swapped. */
  readonly tableOid: number;
  readonly keyColumn: string;
  /**
   * The type as `format_type` prints it.
   * It is `bigint`, `integer`, `uuid`, `text` or `character varying(n)`.
   */
  readonly keyType: string;
  readonly versionColumn: string;
  readonly versionType: 'timestamp with time zone' | 'timestamp without time zone';
  /** IANA zone of a `timestamp without time zone` column; `UTC` for the other type. */
  readonly versionTimeZone: string;
  readonly textColumns: readonly TextColumn[];
  /**
   * Text with `{column}` placeholders.
   * Undefined: the non-empty columns are joined with newlines.
   */
  readonly template?: string | undefined;
  readonly overLimit: 'truncate' | 'skip';
  /**
   * UTF-16 units of prepared text above which the text counts as over the limit.
   * Undefined: the limit of the pipeline, where it has one, else only the model's.
   */
  readonly maxCharacters?: number | undefined;
  /**
   * What becomes of rows that an outage hits. Undefined: `stop`.
   * With `dead-letter`, they are recorded as undelivered and the model is not paused.
   */
  readonly onOutage?: 'stop' | 'dead-letter' | undefined;
}

export interface TextColumn {
  readonly name: string;
  readonly isArray: boolean;
}

/** A row of `freshet.spaces`, with the source and the model that it binds. */
export interface Space {
  readonly spaceId: number;
  readonly source: ResolvedSource;
  readonly model: ModelDefinition;
  readonly status: SpaceStatus;
  /** `vectors_<spaceId>`, in the schema `freshet`. */
  readonly vectorTable: string;
  /**
   * Aliases of the models that this space stands in for.
   * The space is worked on only while one of those models is paused.
   */
  readonly fallbackFor?: readonly string[] | undefined;
}

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

/** The lanes, in the order in which workers take up their messages and lists show them. */
export const LANES = ['fresh', 'bulk'] as const;

export type Lane = (typeof LANES)[number];

export function isLane(value: unknown): value is Lane {
  return LANES.some(lane => lane === value);
}

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
