import { wholeNumberFlag } from '../terminal/flag.ts';
import { reportFailures, withAdvice } from '../terminal/report-failures.ts';
import { defineAwsCommand } from './aws-command.ts';

export const command = defineAwsCommand({
  summary: 'failed rows by cause, each with what to do',
  flags: { examples: wholeNumberFlag('N', 'ids per cause (5)', { least: 1, most: 1000 }) },
  async run({ flags, terminal, deployment, result }) {
    const answer = await deployment.ask('failures', { exampleLimit: flags.examples ?? 5 });
    const failures = withAdvice(answer.failures, 'deployed');
    result({ failures });
    reportFailures(failures, terminal);
    return 0;
  },
});
