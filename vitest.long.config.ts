import { defineConfig, mergeConfig } from 'vitest/config';
import { LONG_SUITES } from './test/setup/long-suites.ts';
import short from './vitest.config.ts';

const { exclude: _, include: __, ...test } = short.test ?? {};

/** What needs nothing but Node, as `npm test` does, and takes longer than a newcomer should wait. */
export default mergeConfig({ ...short, test }, defineConfig({ test: { include: LONG_SUITES } }));
