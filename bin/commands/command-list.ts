import type { Command } from './command.ts';

/** Each command's module is loaded when it is called: `help` must not wait for an engine. */
export const commandList: Readonly<Record<string, () => Promise<{ command: Command }>>> = {
  start: () => import('./start.ts'),
  run: () => import('./run.ts'),
  status: () => import('./status.ts'),
  search: () => import('./search.ts'),
  failures: () => import('./failures.ts'),
  retry: () => import('./retry.ts'),
  pause: () => import('./pause.ts'),
  resume: () => import('./resume.ts'),
  stop: () => import('./stop.ts'),
  reset: () => import('./reset.ts'),
  models: () => import('./models.ts'),
  migrate: () => import('./migrate.ts'),
  doctor: () => import('./doctor.ts'),
  sql: () => import('./sql.ts'),
};
