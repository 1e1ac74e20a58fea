import { lockDirectory } from '../../../lib/adapters/pglite/lock-directory.ts';

/**
 * Takes the lock of a directory as a process of its own, and holds it.
 *
 * The first argument is the directory. The process prints `held`, or `refused` with the reason,
 * and ends with its input.
 */
const [directory = ''] = process.argv.slice(2);
try {
  await lockDirectory(directory);
  process.stdout.write('held\n');
  process.stdin.resume();
} catch (error) {
  process.stdout.write(`refused ${error instanceof Error ? error.message : ''}\n`);
}
