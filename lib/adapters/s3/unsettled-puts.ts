/**
 * Number of puts that are remembered: far more than one function has under way.
 * Beyond this number the oldest are forgotten. A repeat of a forgotten put fails instead of being
 * taken for done.
 */
const MAX_REMEMBERED = 1_000;

/**
 * Remembers failed puts whose object may be there nevertheless, by key and digest.
 * When S3 refuses the repeat of such a put because the object exists, the object has the same
 * bytes. The function needs no right to read the bucket for that conclusion.
 */
export function createUnsettledPuts() {
  const digests = new Map<string, string>();
  return {
    add(key: string, digest: string): void {
      digests.delete(key);
      digests.set(key, digest);
      const [oldest] = digests.keys();
      if (digests.size > MAX_REMEMBERED && oldest !== undefined) digests.delete(oldest);
    },
    has: (key: string, digest: string): boolean => digests.get(key) === digest,
    delete: (key: string): boolean => digests.delete(key),
  };
}
