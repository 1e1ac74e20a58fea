import { lockDirectory } from '../../../lib/adapters/pglite/lock-directory.ts';

/** Started as a process of its own: takes the lock of the directory in its first argument and says so, or says why not; ends with its input. */
const [directory = ''] = process.argv.slice(2);
try {
  await lockDirectory(directory);
  process.stdout.write('held\n');
  process.stdin.resume();
} catch (error) {
  process.stdout.write(`refused ${error instanceof Error ? error.message : ''}\n`);
}
