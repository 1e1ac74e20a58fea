import type { Command } from './command.ts';

/** `freshet aws <name>`. */
export const awsCommandList: Readonly<Record<string, () => Promise<{ command: Command }>>> = {
  status: () => import('./aws-status.ts'),
  pause: () => import('./aws-pause.ts'),
  resume: () => import('./aws-resume.ts'),
  failures: () => import('./aws-failures.ts'),
  retry: () => import('./aws-retry.ts'),
  redrive: () => import('./aws-redrive.ts'),
  backfill: () => import('./aws-backfill.ts'),
  reset: () => import('./aws-reset.ts'),
  logs: () => import('./aws-logs.ts'),
};
