import type { Logger } from '../../ports/logger.ts';
import type { Coverage } from '../../ports/report-store.ts';
import type { SampleItem, SampleStore } from '../../ports/sample-store.ts';

export interface SamplePorts {
  readonly store: SampleStore;
  readonly readItems: () => Promise<readonly SampleItem[]>;
  readonly logger: Logger;
}

export type SampleRequest =
  | { readonly action: 'load' }
  | { readonly action: 'insert'; readonly title: string }
  | { readonly action: 'edit'; readonly id: string; readonly title: string }
  | { readonly action: 'coverage' };

export type SampleReply =
  | { readonly rows: number; readonly created: boolean }
  | { readonly id: string }
  | { readonly edited: boolean }
  | { readonly spaces: readonly Coverage[] };
