import type { ModelDefinition } from '../model.ts';
import type { AwsSection } from './aws-schema.ts';

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
  readonly limits: PipelineLimits;
  /** What `cdk deploy` creates for each stage. Undefined: nothing is configured for AWS. */
  readonly aws?: AwsSection | undefined;
}

/** A source as configured, before it is checked against the database. */
export interface SourceConfig {
  readonly name: string;
  /** `schema.table` or `table`. The object form is for names that contain a dot. */
  readonly table: string | { readonly schema: string; readonly name: string };
  /** The key column. Undefined: the primary key. */
  readonly key?: string | undefined;
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
