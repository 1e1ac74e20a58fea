import { defineConfig } from 'vitest/config';

if (process.env.TEMPLATE_LINTERS === undefined) {
  throw new Error('TEMPLATE_LINTERS is not set: it is the folder that .ci/template-linters prints.');
}

/** What cfn-lint and checkov say of every template. Both start slowly, and each is started once. */
export default defineConfig({
  test: {
    include: ['test/linters/**/*.test.ts'],
    globalSetup: 'test/setup/temporary-folder.ts',
    testTimeout: 60_000,
    hookTimeout: 600_000,
    maxWorkers: 1,
    env: { AWS_EMF_ENVIRONMENT: 'Local', TZ: 'UTC' },
  },
});
