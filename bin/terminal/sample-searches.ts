/** Searches of the bundled sample that share words with the glosses they find: all that feature hashing can see. */
export const sampleSearches = [
  'a large body of water',
  'feeling of great joy and happiness',
  'official document giving permission',
] as const;
