/** What `cdk deploy` prints for whoever runs the deployment; only those with `--apply` change anything. */
export const STACK_COMMANDS = [
  { output: 'StatusCommand', command: 'npx freshet aws status' },
  { output: 'FailuresCommand', command: 'npx freshet aws failures' },
  { output: 'LogsCommand', command: 'npx freshet aws logs --trouble' },
  { output: 'RedriveDeadLettersCommand', command: 'npx freshet aws redrive' },
  { output: 'BackfillCommand', command: 'npx freshet aws backfill' },
  { output: 'PauseFlowCommand', command: 'npx freshet aws pause --apply' },
  { output: 'ResumeFlowCommand', command: 'npx freshet aws resume --apply' },
] as const;
