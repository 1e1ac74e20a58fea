import { createInterface } from 'node:readline/promises';
import { UsageError } from '../../lib/core/errors.ts';

/** @throws UsageError when the person says no, or when there is nobody to ask and `given` is false. */
export async function confirm(question: string, given: boolean): Promise<void> {
  if (given) return;
  if (process.stdin.isTTY !== true)
    throw new UsageError(`${question} There is no terminal to ask on.`, 'Add --yes to go on without asking.');
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await lines.question(`${question} [y/N] `);
    if (!/^y(es)?$/i.test(answer.trim())) throw new UsageError('Nothing was changed.');
  } finally {
    lines.close();
  }
}
