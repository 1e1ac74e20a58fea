import { defineConfig } from 'vitest/config';

if (process.env.CHROMIUM === undefined) {
  throw new Error('CHROMIUM is not set: this suite needs a Chromium, as .ci/chromium puts one into a tree.');
}

/** The page of `freshet serve` in a real browser. With UPDATE_DOCS=1 it makes the picture of the README. */
export default defineConfig({
  test: {
    include: ['test/browser/**/*.test.ts'],
    expect: { poll: { timeout: 30_000 } },
    testTimeout: 180_000,
    hookTimeout: 120_000,
    maxWorkers: 1,
    globalSetup: ['test/setup/temporary-folder.ts', 'test/setup/bundle-program.ts'],
    env: { AWS_EMF_ENVIRONMENT: 'Local', TZ: 'UTC' },
  },
});
