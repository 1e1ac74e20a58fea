/** Searches of the bundled sample that share words with the glosses they find: all that feature hashing can see. */
export const sampleSearches = [
  'a small domesticated animal',
  'feeling of great joy and happiness',
  'money paid in return for work',
] as const;
