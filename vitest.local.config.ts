import { defineConfig } from 'vitest/config';

if (process.env.LOCAL_MODEL === undefined) {
  throw new Error('LOCAL_MODEL is not set: it is the folder that .ci/local-model prints.');
}

/** What needs a real sentence model, or programs of Python: provider `local`, the embedding service, another server. */
export default defineConfig({
  test: {
    include: ['test/local-model/**/*.test.ts'],
    isolate: false,
    setupFiles: ['test/setup/leave-process-alone.ts'],
    globalSetup: 'test/setup/temporary-folder.ts',
    expect: { poll: { timeout: 30_000 } },
    testTimeout: 180_000,
    hookTimeout: 180_000,
    maxWorkers: 2,
    env: { AWS_EMF_ENVIRONMENT: 'Local', TZ: 'UTC' },
  },
});
