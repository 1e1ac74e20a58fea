/** More than one function has under way by far; the oldest are forgotten, and their repeats fail instead of passing unseen. */
const MAX_REMEMBERED = 1_000;

/**
 * Puts that failed without it being known whether the object is there: key and hash of the bytes. A repeat that is refused because the
 * object exists is then known to have met its own bytes, without the right to read the bucket.
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
