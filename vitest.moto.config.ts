import { defineConfig } from 'vitest/config';

if (process.env.MOTO_URL === undefined) {
  throw new Error('MOTO_URL is not set: these suites need a moto server, as .ci/moto starts one.');
}

/**
 * The second opinion on the AWS adapters: the same contracts against a server that others wrote in another language. Its queues follow
 * the real time, so the tests of a file wait side by side.
 */
export default defineConfig({
  test: {
    include: ['test/moto/**/*.test.ts'],
    sequence: { concurrent: true },
    isolate: false,
    setupFiles: ['test/setup/leave-process-alone.ts'],
    globalSetup: 'test/setup/temporary-folder.ts',
    expect: { poll: { timeout: 30_000 } },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    env: { AWS_EMF_ENVIRONMENT: 'Local', TZ: 'UTC' },
  },
});
