import type { Lane } from './vocabulary.ts';

/** What travels from `detect` to `embed`: ids only. Version 1 of the envelope; `embed` accepts this version and refuses others. */
export interface DispatchMessage {
  readonly v: 1;
  readonly kind: 'dispatch';
  readonly spaceId: number;
  readonly lane: Lane;
  readonly dispatchId: string;
  /** How often embedding these rows began before and did not end: decides the batch size, and after 5 the outcome `undelivered`. */
  readonly attempts: number;
  readonly ids: readonly string[];
}

/** What travels from `embed` to `write`: a pointer to a result object and what proves it whole. */
export interface AnnounceMessage {
  readonly v: 1;
  readonly kind: 'announce';
  readonly spaceId: number;
  readonly dispatchId: string;
  readonly key: string;
  /** Of the whole object, hexadecimal. */
  readonly sha256: string;
  readonly ids: readonly string[];
}
