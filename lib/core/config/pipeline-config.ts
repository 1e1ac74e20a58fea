import type { Budget } from '../budget.ts';
import type { ModelDefinition, VectorStorage, VersionUnit } from '../model.ts';
import type { AwsSection } from './aws-schema.ts';
import type { DocumentsSection } from './documents-schema.ts';
import type { RerankerSection } from './reranker-schema.ts';
import type { RunMode } from './run-modes.ts';
import type { SearchSection } from './search-schema.ts';
import type { ServiceSection } from './service-schema.ts';

/**
 * The configuration after validation, with its defaults filled in.
 * Nothing below `lib/wiring` sees another form of it.
 */
export interface PipelineConfig {
  readonly database: {
    /** The database's URL. Undefined: the embedded database. */
    readonly url?: string | undefined;
    readonly embeddedDirectory: string;
    /** Schema of the views that applications read. */
    readonly viewSchema: string;
  };
  readonly models: Readonly<Record<string, ModelDefinition>>;
  readonly sources: readonly SourceConfig[];
  /** Texts that clients give to the service; `sources` has their source too. Undefined: none. */
  readonly documents?: DocumentsSection | undefined;
  readonly limits: PipelineLimits;
  /** Modes of runs by their names, beside those of Freshet. Undefined: there is no other. */
  readonly modes?: Readonly<Record<string, RunMode>> | undefined;
  /** What may be spent. Undefined: nothing caps it. */
  readonly budget?: Budget | undefined;
  /** Servers that order the hits of searches anew, by their names. Undefined: there is none. */
  readonly rerankers?: Readonly<Record<string, RerankerSection>> | undefined;
  /** How `freshet serve` answers clients. Undefined: as its defaults say. */
  readonly service?: ServiceSection | undefined;
  /** What `cdk deploy` creates for each stage. Undefined: nothing is configured for AWS. */
  readonly aws?: AwsSection | undefined;
}

/** A source as configured, before it is checked against the database. */
export interface SourceConfig {
  /** What an `updatedAt` of type bigint counts since 1970. Undefined for one: a mere counter. */
  readonly updatedAtUnit?: VersionUnit | undefined;
  readonly name: string;
  /** `schema.table` or `table`. The object form is for names that contain a dot. */
  readonly table: string | { readonly schema: string; readonly name: string };
  /** The key column, or up to four. Undefined: the primary key. */
  readonly key?: string | readonly string[] | undefined;
  readonly updatedAt: string;
  /** The time zone of the values of `updatedAt`. Required where that column has none. */
  readonly timeZone?: string | undefined;
  readonly text: { readonly columns: readonly string[]; readonly template?: string | undefined };
  /** Aliases of models. The view shows the first one's space. */
  readonly models: readonly string[];
  readonly overLimit: 'truncate' | 'skip';
  /** Alias of the model that fills a space of its own while one of `models` is paused. */
  readonly fallback?: string | undefined;
  readonly onOutage?: 'stop' | 'dead-letter' | undefined;
  readonly storage?: VectorStorage;
  /** What searches of it may show and filter by. Undefined: the columns of the text, no filter. */
  readonly search?: SearchSection | undefined;
}

/** Limits that hold for every source and model, unless these set their own. */
export interface PipelineLimits {
  /** Rows per message, and texts per call where the provider allows as many. */
  readonly batchSize: number;
  /** Embed invocations of a local run at the same time. */
  readonly concurrency: number;
  /** Leased rows per space at any time, at most. */
  readonly maxInFlight: number;
  /** Longest prepared text in UTF-16 units. Undefined: only the model limits the length. */
  readonly maxCharacters?: number | undefined;
  /** Time limit of one provider call. */
  readonly timeoutSeconds: number;
  /** Pause between two batches of one worker of a local run. */
  readonly pauseMs: number;
  /** Keys per slice of the reconcile pass, at most. */
  readonly sliceRows: number;
  /** The value for sources that set none. Undefined: `stop`. */
  readonly onOutage?: 'stop' | 'dead-letter' | undefined;
}

/** Lists the aliases whose models a source calls, each once, the fallback last. */
export function aliasesOf({ models, fallback }: SourceConfig): readonly string[] {
  return fallback === undefined ? models : [...models, fallback];
}

/** Lists the aliases that any source calls, fallbacks included, each once, sorted. */
export function usedAliases({ sources }: Pick<PipelineConfig, 'sources'>): string[] {
  return [...new Set(sources.flatMap(aliasesOf))].sort();
}

/**
 * Composes the value of the metrics' dimension `provider`.
 * There is one value per deployment, because each value costs money. It joins the providers of the
 * models that the sources name.
 */
export function nameProviders(config: PipelineConfig): string {
  const providers = usedAliases(config).map(alias => config.models[alias]!.provider);
  return [...new Set(providers)].sort().join('+');
}
