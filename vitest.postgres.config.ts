import { defineConfig } from 'vitest/config';

if (process.env.DATABASE_URL === undefined) {
  throw new Error(
    'DATABASE_URL is not set: these suites need a PostgreSQL with pgvector, as .ci/real-postgres sets one up.',
  );
}

/** The suites that need a real PostgreSQL with pgvector in DATABASE_URL: the one database suite again, and what PGlite cannot show. */
export default defineConfig({
  test: {
    include: ['test/database/**/*.test.ts', 'test/postgres/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    env: { AWS_EMF_ENVIRONMENT: 'Local', TZ: 'UTC' },
  },
});
