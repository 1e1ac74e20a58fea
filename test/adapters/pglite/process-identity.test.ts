import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { findLife, identifyProcess } from '../../../lib/adapters/pglite/lock-directory.ts';

describe('findLife', () => {
  test('calls this process alive', async () => {
    expect(await findLife(await identifyProcess(process.pid))).toBe('alive');
  });

  test('calls a process dead whose id another one has now', async () => {
    const own = await identifyProcess(process.pid);

    expect(await findLife({ ...own, started: 'another-boot/1' })).toBe('dead');
  });

  test.runIf(process.platform === 'linux')(
    'calls a killed process dead though its parent never asked how it ended',
    async () => {
      const parent = spawn('sh', ['-c', 'sleep 600 & echo $!; exec sleep 600'], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      onTestFinished(() => void parent.kill('SIGKILL'));
      const [line] = await once(parent.stdout, 'data');
      const pid = Number(String(line).trim());
      const holder = await identifyProcess(pid);
      const aliveBefore = await findLife(holder);

      process.kill(pid, 'SIGKILL');
      await expect.poll(() => readState(pid)).toBe('Z');

      expect(aliveBefore).toBe('alive');
      expect(await findLife(holder)).toBe('dead');
    },
  );
});

async function readState(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2)[0];
}
