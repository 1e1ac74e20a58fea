import { defineConfig } from 'vitest/config';

if (process.env.DATABASE_URL === undefined) {
  throw new Error(
    'DATABASE_URL is not set: these suites need a PostgreSQL with pgvector, as .ci/real-postgres sets one up.',
  );
}

/** A server of one's own has no certificate that the test could check: `.ci/real-postgres` gives its server one. */
const needsCertificate = 'test/postgres/endpoint.test.ts';
const hasCertificate = process.env.DATABASE_HAS_TEST_CERTIFICATE === '1';
if (!hasCertificate) {
  process.stderr.write(
    `Left out: ${needsCertificate}, which needs DATABASE_HAS_TEST_CERTIFICATE=1 and a server that .ci/real-postgres started.\n`,
  );
}

/** Poolers are other programs: `.ci/pgbouncer` puts them into a tree. */
const needsPoolers = 'test/postgres/poolers.test.ts';
const hasPoolers = process.env.PGBOUNCER_ROOT !== undefined;
if (!hasPoolers) {
  process.stderr.write(
    `Left out: ${needsPoolers}, which needs PGBOUNCER_ROOT, a tree with PgBouncer as .ci/pgbouncer makes one.\n`,
  );
}

/** The suites that need a real PostgreSQL with pgvector in DATABASE_URL: the one database suite again, and what PGlite cannot show. */
export default defineConfig({
  test: {
    include: ['test/database/**/*.test.ts', 'test/postgres/**/*.test.ts'],
    exclude: [...(hasCertificate ? [] : [needsCertificate]), ...(hasPoolers ? [] : [needsPoolers])],
    expect: { poll: { timeout: 30_000 } },
    testTimeout: 120_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    isolate: false,
    setupFiles: ['test/setup/leave-process-alone.ts'],
    globalSetup: ['test/setup/temporary-folder.ts', 'test/setup/bundle-program.ts'],
    env: { AWS_EMF_ENVIRONMENT: 'Local', TZ: 'UTC' },
  },
});
