import type { Place, ProviderName } from '../providers.ts';
import type { SpaceStatus } from './vocabulary.ts';

/** A model as the registry resolves an alias, with the keys of its place. */
export interface ModelDefinition extends Place {
  readonly alias: string;
  readonly provider: ProviderName;
  /** The provider's own name of the model. */
  readonly modelId: string;
  /** Pinned revision of the weights, or `latest` where nobody pins one. Part of the space's fingerprint. */
  readonly revision: string;
  readonly dimensions: number;
  /** Longest text in tokens; longer ones are cut or skipped as the source says. Undefined: no limit. */
  readonly maxTokensPerText?: number | undefined;
  /** Put before every document text; part of the space's fingerprint. */
  readonly documentPrefix: string;
  readonly queryPrefix: string;
  /** Whether vectors have length 1; checked on every reply when true. */
  readonly normalized: boolean;
  readonly usdPerMillionTokens: number;
  /** Whether the endpoint accepts `dimensions` (OpenAI's third generation does). */
  readonly sendDimensions: boolean;
  /** `http`: whether each text's SHA-256 travels with it, for a server that caches by it. */
  readonly sendTextHashes?: boolean | undefined;
  /** Instead of what is usual for the provider; never wider than what its adapter can take. */
  readonly limits?:
    | {
        readonly maxTextsPerCall?: number | undefined;
        readonly maxTokensPerCall?: number | undefined;
        readonly maxBytesPerCall?: number | undefined;
      }
    | undefined;
  /** Of one call; undefined: the pipeline's. */
  readonly timeoutSeconds?: number | undefined;
  /** Tries after the first within one invocation; undefined: 2. */
  readonly maxRetries?: number | undefined;
  /** `off`: its vectors are not compared with the golden ones. */
  readonly check?: 'on' | 'off' | undefined;
}

/** A source as configured, checked against `pg_catalog`. Identifiers are raw: every statement quotes them. */
export interface ResolvedSource {
  readonly name: string;
  readonly schema: string;
  readonly table: string;
  /** `pg_class.oid` at resolution; another OID later means that the table was swapped. */
  readonly tableOid: number;
  readonly keyColumn: string;
  /** As `format_type` prints it: `bigint`, `integer`, `uuid`, `text` or `character varying(n)`. */
  readonly keyType: string;
  readonly versionColumn: string;
  readonly versionType: 'timestamp with time zone' | 'timestamp without time zone';
  /** IANA zone of a `timestamp without time zone` column; `UTC` otherwise. */
  readonly versionTimeZone: string;
  readonly textColumns: readonly TextColumn[];
  /** `{column}` placeholders; undefined joins the non-empty columns with newlines. */
  readonly template?: string | undefined;
  readonly overLimit: 'truncate' | 'skip';
  /** Longest prepared text in UTF-16 units after which it counts as over the limit; undefined: the model alone decides. */
  readonly maxCharacters?: number | undefined;
  /** `dead-letter`: rows that an outage hits are recorded as undelivered, and the model is not paused. Undefined: `stop`. */
  readonly onOutage?: 'stop' | 'dead-letter' | undefined;
}

export interface TextColumn {
  readonly name: string;
  readonly isArray: boolean;
}

/** A row of `freshet.spaces` together with the source and model it binds. */
export interface Space {
  readonly spaceId: number;
  readonly source: ResolvedSource;
  readonly model: ModelDefinition;
  readonly status: SpaceStatus;
  /** `vectors_<spaceId>`, in schema `freshet`. */
  readonly vectorTable: string;
  /** Aliases of the models whose place this space takes: it is worked on only while one of them is paused. */
  readonly fallbackFor?: readonly string[] | undefined;
}
