import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { LONG_SUITES } from './test/setup/long-suites.ts';

/** The suite that needs nothing but Node: `npm test`. Suites that need a server, or minutes, have a configuration of their own. */
export default defineConfig({
  // The examples import the package by its name, which a clone has only when it is built.
  resolve: {
    alias: [
      { find: /^freshet$/, replacement: join(import.meta.dirname, 'lib/core/config/define-config.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [
      'test/package/**',
      'test/browser/**',
      'test/postgres/**',
      'test/moto/**',
      'test/linters/**',
      'test/local-model/**',
      ...LONG_SUITES,
    ],
    expect: { poll: { timeout: 30_000 } },
    testTimeout: 180_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    // Each worker reads modules once for all its files, which halves the time. No test mocks a module.
    isolate: false,
    setupFiles: ['test/setup/leave-process-alone.ts'],
    globalSetup: [
      'test/setup/temporary-folder.ts',
      'test/setup/make-empty-database.ts',
      'test/setup/bundle-program.ts',
    ],
    env: { AWS_EMF_ENVIRONMENT: 'Local', TZ: 'UTC' },
  },
});
