import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockDirectory } from '../../../lib/adapters/pglite/lock-directory.ts';
import { UnavailableError } from '../../../lib/core/errors.ts';

let folder: string;
let directory: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'freshet-lock-'));
  directory = join(folder, 'database');
});
afterEach(async () => {
  await Promise.all(children.splice(0).map(kill));
  await rm(folder, { recursive: true });
});

/** A process that tries to take the lock, and the line that it says. */
async function startHolder(): Promise<{ child: ChildProcess; line: string }> {
  const script = new URL('./hold-lock.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, directory], { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  const [line] = await once(child.stdout as NodeJS.ReadableStream, 'data');
  return { child, line: String(line).trim() };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

describe('lockDirectory', () => {
  it('refuses while another process holds the lock, and names it', async () => {
    const { child } = await startHolder();

    const refused = lockDirectory(directory);

    await expect(refused).rejects.toBeInstanceOf(UnavailableError);
    await expect(refused).rejects.toMatchObject({
      message: expect.stringContaining(`is in use by process ${child.pid} since `),
      remedy: `npm run freshet -- stop ends a run after the batch in hand; kill ${child.pid} ends whatever it is.`,
    });
  });

  it('takes over the lock of a process that was killed', async () => {
    const { child } = await startHolder();
    await kill(child);

    const release = await lockDirectory(directory);

    const record = JSON.parse(await readFile(join(folder, 'lock'), 'utf8'));
    expect(record.pid).toBe(process.pid);
    await release();
    expect(await readdir(folder)).toEqual([]);
  });

  it('lets exactly one of many take over a dead lock', async () => {
    const { child } = await startHolder();
    await kill(child);

    const lines = await Promise.all(Array.from({ length: 6 }, async () => (await startHolder()).line));

    expect(lines.filter(line => line === 'held')).toHaveLength(1);
    expect(lines.filter(line => line.startsWith('refused The embedded database'))).toHaveLength(5);
  });

  it('lets exactly one of many flows of a process have it', async () => {
    await writeFile(join(folder, 'lock'), 'torn');

    const tries = await Promise.allSettled(Array.from({ length: 20 }, () => lockDirectory(directory)));

    expect(tries.filter(result => result.status === 'fulfilled')).toHaveLength(1);
    expect((await readdir(folder)).filter(name => name !== 'lock')).toEqual([]);
  });

  it('takes over the lock of a process whose id was given out again', async () => {
    await lockDirectory(directory);
    const path = join(folder, 'lock');
    const record = JSON.parse(await readFile(path, 'utf8'));
    await writeFile(path, JSON.stringify({ ...record, token: 'former', started: 'another start' }));

    const release = await lockDirectory(directory);

    await release();
  });

  it('refuses a lock from another host and says what to do', async () => {
    await lockDirectory(directory);
    const path = join(folder, 'lock');
    const record = JSON.parse(await readFile(path, 'utf8'));
    await writeFile(path, JSON.stringify({ ...record, host: 'elsewhere.example' }));

    await expect(lockDirectory(directory)).rejects.toMatchObject({
      message: expect.stringContaining('on host "elsewhere.example"'),
      remedy: `rm ${path}`,
    });
  });
});
