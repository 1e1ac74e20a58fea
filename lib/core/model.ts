import type { ModelPlace, ProviderName } from './providers.ts';
import type { Pooling } from './sentence-vectors.ts';

export type Json = string | number | boolean | null | readonly Json[] | JsonObject;

export interface JsonObject {
  readonly [key: string]: Json;
}

/** What a text is to a model: a row's text, or what somebody searches for. */
export type InputRole = 'document' | 'query';

/** Returns the model as it is asked for a role: its name and its additional fields. */
export function modelForRole<Model extends AskedModel>(model: Model, role: InputRole): Model {
  if (role === 'document') return model;
  const extraBody = { ...model.extraBody, ...model.queryExtraBody };
  return { ...model, modelId: model.queryModelId ?? model.modelId, extraBody };
}

type AskedModel = Pick<ModelDefinition, 'modelId' | 'queryModelId' | 'extraBody' | 'queryExtraBody'>;

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
  /**
   * How `openai` asks for vectors; `omit` sends no such parameter.
   * Undefined: base64, and nothing once a server refuses that.
   */
  readonly encodingFormat?: 'base64' | 'float' | 'omit' | undefined;
  /**
   * Fields added to the body of every call.
   * They decide which vectors come back, and are part of the space's fingerprint.
   */
  readonly extraBody?: JsonObject | undefined;
  /** Fields added to the body where the text is a search, over those of `extraBody`. */
  readonly queryExtraBody?: JsonObject | undefined;
  /** The name of the model that embeds searches. Undefined: `modelId`. */
  readonly queryModelId?: string | undefined;
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
        /** What all workers together may ask of the provider a minute. */
        readonly requestsPerMinute?: number | undefined;
        readonly tokensPerMinute?: number | undefined;
      }
    | undefined;
  /** Time limit of one call. Undefined: the pipeline's. */
  readonly timeoutSeconds?: number | undefined;
  /** Tries after the first within one invocation. Undefined: 2. */
  readonly maxRetries?: number | undefined;
  /** How texts of the bulk lane are bought. Undefined: `live`, by calls. */
  readonly bulk?: 'live' | 'batch' | undefined;
  /** What bounds the batches of `bulk: 'batch'`. `core/batches.ts` has the defaults. */
  readonly batch?:
    | {
        readonly deadlineHours?: number | undefined;
        readonly maxEnqueuedTokens?: number | undefined;
        readonly maxTexts?: number | undefined;
      }
    | undefined;
  /**
   * `local`: the files of the model, each with its SHA-256 in hexadecimal.
   * They decide which vectors come back, and are part of the space's fingerprint.
   */
  readonly files?: Readonly<Record<string, string>> | undefined;
  /** `local`: how the vectors of tokens become one. Undefined: their mean. */
  readonly pooling?: Pooling | undefined;
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
  /** What the source is, where it is no ordinary table. */
  readonly relation?: 'partitioned table' | 'view' | 'foreign table' | undefined;
  /** The columns of the key, 1 to 4, in the order in which the key is walked. */
  readonly keyColumns: readonly KeyColumn[];
  readonly versionColumn: string;
  readonly versionType: 'timestamp with time zone' | 'timestamp without time zone' | 'date' | 'bigint';
  /** IANA zone of a column that has a date and no zone of its own; `UTC` for the other types. */
  readonly versionTimeZone: string;
  /**
   * What a `bigint` counts since 1970. Undefined for one: it is a counter, which says nothing of
   * time, and only the reconcile pass finds edits.
   */
  readonly versionUnit?: VersionUnit | undefined;
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
  readonly storage?: VectorStorage;
  /** The text search configuration of the words that are kept. Undefined: none are. */
  readonly keywordLanguage?: string | undefined;
  /** The column that says whose a row is. Undefined: `detect` divides no look among tenants. */
  readonly tenantColumn?: string | undefined;
}

/**
 * The type in which a space stores its vectors, where it is not pgvector's `vector`.
 * `halfvec` has components of two bytes in place of four. It is part of the space's fingerprint.
 */
export type VectorStorage = 'halfvec' | undefined;

export type VersionUnit = 'seconds' | 'milliseconds' | 'microseconds';

/** A part of a source's key. */
export interface KeyColumn {
  readonly name: string;
  /** The type as `format_type` prints it: `bigint`, `character varying(20)`. */
  readonly type: string;
  /** True: the collation takes texts for equal that differ, as in the case of their letters. */
  readonly isLoose?: true | undefined;
}

export interface TextColumn {
  readonly name: string;
  readonly isArray: boolean;
  /** True: it is the text of a document, which lies in a table beside that of the source. */
  readonly isApart?: true | undefined;
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
  | `excluded:${ExclusionReason}`
  | 'too-long'
  | 'undelivered'
  | `undelivered:${string}`
  | `refused:${string}`;

/**
 * Why a model has no vector for a text though nothing failed.
 * `unknown-words`: the model does not know a single word of the text.
 */
export type ExclusionReason = 'unknown-words';

/**
 * Why a call failed, which decides what is done about it.
 * `docs/architecture.md` has the table.
 */
export type FailureClass = 'throttled' | 'transient' | 'too-large' | 'item' | 'stop' | 'unknown';
