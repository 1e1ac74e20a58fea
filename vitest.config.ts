import { defineConfig } from 'vitest/config';

/** The suite that needs nothing but Node: `npm test`. Suites that need a server, or minutes, have a configuration of their own. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/package/**', 'test/postgres/**', 'test/moto/**'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    globalSetup: 'test/setup/make-empty-database.ts',
    env: { AWS_EMF_ENVIRONMENT: 'Local', TZ: 'UTC' },
  },
});
