interface Bucket {
  left: number;
  atMs: number;
}

/** Tenants that are remembered; whoever asked longest ago begins anew with a full allowance. */
const MAX_TENANTS = 10_000;

/**
 * Counts the requests of each tenant against an allowance that fills up evenly (a token bucket).
 * After a pause a tenant may send a minute's allowance at once, and then as many as the minute has.
 */
export class TenantQuota {
  readonly #buckets = new Map<string, Bucket>();
  readonly #perMinute: number;

  constructor(perMinute: number) {
    this.#perMinute = perMinute;
  }

  /** Takes one request. 0: it may pass; else the whole seconds after which one may. */
  take(tenant: string, nowMs: number): number {
    const bucket = this.#buckets.get(tenant) ?? { left: this.#perMinute, atMs: nowMs };
    const filled = (Math.max(0, nowMs - bucket.atMs) * this.#perMinute) / 60_000;
    const left = Math.min(this.#perMinute, bucket.left + filled);
    const isTaken = left >= 1;
    this.#buckets.delete(tenant);
    this.#buckets.set(tenant, { left: isTaken ? left - 1 : left, atMs: nowMs });
    if (this.#buckets.size > MAX_TENANTS) this.#buckets.delete(this.#buckets.keys().next().value!);
    return isTaken ? 0 : Math.max(1, Math.ceil(((1 - left) * 60) / this.#perMinute));
  }
}
