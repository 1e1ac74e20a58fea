import type { ModelDefinition } from '../model/space.ts';
import type { AwsSection } from './aws-schema.ts';

/** The configuration after validation, defaults filled in. Nothing below `lib/wiring` sees any other. */
export interface PipelineConfig {
  readonly database: {
    /** Undefined: the embedded database. */
    readonly url?: string | undefined;
    readonly embeddedDirectory: string;
    /** Schema of the views that applications read. */
    readonly viewSchema: string;
  };
  readonly models: Readonly<Record<string, ModelDefinition>>;
  readonly sources: readonly SourceConfig[];
  readonly limits: PipelineLimits;
  /** What `cdk deploy` brings up, per stage. Undefined: nothing was configured for AWS. */
  readonly aws?: AwsSection | undefined;
}

export interface SourceConfig {
  readonly name: string;
  /** `schema.table` or `table`; the object form is for names that hold a dot. */
  readonly table: string | { readonly schema: string; readonly name: string };
  /** Undefined: the primary key. */
  readonly key?: string | undefined;
  readonly updatedAt: string;
  /** Required where `updatedAt` has no time zone: the zone its values are in. */
  readonly timeZone?: string | undefined;
  readonly text: { readonly columns: readonly string[]; readonly template?: string | undefined };
  /** Aliases; the first one's space is what the view shows. */
  readonly models: readonly string[];
  readonly overLimit: 'truncate' | 'skip';
  /** Alias of the model that fills a space of its own while one of `models` is paused. */
  readonly fallback?: string | undefined;
  readonly onOutage?: 'stop' | 'dead-letter' | undefined;
}

export interface PipelineLimits {
  /** Rows per message, and texts per call where the provider allows it. */
  readonly batchSize: number;
  readonly concurrency: number;
  /** Leased rows per space at any time. */
  readonly maxInFlight: number;
  readonly maxCharacters?: number | undefined;
  /** Of one provider call. */
  readonly timeoutSeconds: number;
  readonly pauseMs: number;
  /** Keys per slice of the reconcile pass. */
  readonly sliceRows: number;
  /** For sources that say nothing themselves; undefined: `stop`. */
  readonly onOutage?: 'stop' | 'dead-letter' | undefined;
}

/** The aliases whose models a source calls, each once, its fallback last. */
export function aliasesOf({ models, fallback }: SourceConfig): readonly string[] {
  return fallback === undefined ? models : [...models, fallback];
}

/** Aliases that a source names, its fallback too, each once, in alphabetical order. */
export function usedAliases({ sources }: Pick<PipelineConfig, 'sources'>): string[] {
  return [...new Set(sources.flatMap(aliasesOf))].sort();
}
