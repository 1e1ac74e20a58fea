import { defineConfig } from 'vitest/config';

/** What takes long and needs nothing but Node: the packed and installed package, and the price of a counted run. */
export default defineConfig({
  test: {
    include: ['test/package/**/*.test.ts'],
    globalSetup: 'test/setup/temporary-folder.ts',
    expect: { poll: { timeout: 30_000 } },
    testTimeout: 120_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    env: { AWS_EMF_ENVIRONMENT: 'Local', TZ: 'UTC' },
  },
});
