/**
 * The commands that `cdk deploy` prints for whoever runs the deployment.
 * No command changes anything without `--apply`.
 */
export const STACK_COMMANDS = [
  { output: 'StatusCommand', words: 'status' },
  { output: 'FailuresCommand', words: 'failures' },
  { output: 'LogsCommand', words: 'logs --trouble' },
  { output: 'PauseCommand', words: 'pause' },
  { output: 'ResumeCommand', words: 'resume' },
  { output: 'RetryCommand', words: 'retry' },
  { output: 'BackfillCommand', words: 'backfill' },
  { output: 'ResetCommand', words: 'reset --all' },
] as const;
