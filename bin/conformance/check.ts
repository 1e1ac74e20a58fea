import type { EmbedService } from './embed-service.ts';

/** One promise of `docs/contracts/embed-v1.yaml`. */
export interface Check {
  readonly name: string;
  /** Why it says nothing about this service; undefined: it does. */
  skip?(service: EmbedService): string | undefined;
  /** Rejects with `Nonconformity` where the promise is not kept. */
  run(service: EmbedService): Promise<void>;
}
