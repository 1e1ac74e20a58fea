import type { Lane } from './vocabulary.ts';

/**
 * The message from `detect` to `embed`: the ids of leased rows, and no texts.
 * The envelope has version 1. `embed` accepts only that version.
 */
export interface DispatchMessage {
  readonly v: 1;
  readonly kind: 'dispatch';
  readonly spaceId: number;
  readonly lane: Lane;
  readonly dispatchId: string;
  /**
   * How often embedding these rows began before and did not end.
   * The number decides the batch size (`batchSizeForAttempts`); after 5 the outcome is
   * `undelivered`.
   */
  readonly attempts: number;
  readonly ids: readonly string[];
}

/** The message from `embed` to `write`: where a result object lies, and its digest. */
export interface AnnounceMessage {
  readonly v: 1;
  readonly kind: 'announce';
  readonly spaceId: number;
  readonly dispatchId: string;
  readonly key: string;
  /** The digest of the object's bytes, as `proveObject` computes it: SHA-256, in hexadecimal. */
  readonly sha256: string;
  readonly ids: readonly string[];
}
