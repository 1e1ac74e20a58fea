import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');
const example = path.join(root, 'examples/service');
const folder = mkdtempSync(path.join(tmpdir(), 'freshet-image-'));
let child: ChildProcess | undefined;
afterAll(() => {
  child?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** Copying packages takes some seconds, and a minute on a machine that does something else besides. */
const TIMEOUT_MS = 180_000;

/** Node of this process comes first, as in the image. */
const env = {
  ...process.env,
  PATH: `${path.dirname(process.execPath)}:${process.env.PATH}`,
  NODE_OPTIONS: '',
};

/** The instructions of the Dockerfile, in their order. */
const instructions = readFileSync(path.join(example, 'Dockerfile'), 'utf8')
  .split('\n')
  .filter(line => !/^\s*(#|$)/.test(line))
  .map(line => {
    const [, name = '', rest = ''] = /^([A-Z]+) (.*)$/.exec(line) ?? [];
    return { name, rest };
  });

async function findPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise(resolve => server.close(resolve));
  return port;
}

/**
 * Puts into the folder what `npm ci --omit=dev` would: the packages of the lock that are no development's, and no other.
 * They are linked from this checkout, which npm has filled by the same lock, so that the registry is not asked.
 */
function installProduction(): void {
  const lock = readFileSync(path.join(folder, 'package-lock.json'), 'utf8');
  const { packages } = JSON.parse(lock) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean; peer?: boolean }>;
  };
  for (const [place, { dev, devOptional, peer }] of Object.entries(packages)) {
    const isNested = place.lastIndexOf('node_modules/') > 0;
    if (place === '' || isNested || dev || devOptional || peer || !existsSync(path.join(root, place)))
      continue;
    mkdirSync(path.dirname(path.join(folder, place)), { recursive: true });
    cpSync(path.join(root, place), path.join(folder, place), {
      recursive: true,
      mode: constants.COPYFILE_FICLONE,
    });
  }
}

/** Does what an instruction says in the folder, as an image would be built; what only an image has is passed over. */
function follow({ name, rest }: (typeof instructions)[number]): void {
  if (name === 'RUN') {
    expect(rest).toBe('npm ci --omit=dev --ignore-scripts');
    installProduction();
  } else if (name === 'COPY') {
    const words = rest.split(/\s+/);
    const to = words.at(-1)!;
    // The configuration is the user's own, and stands there already.
    for (const from of words.slice(0, -1))
      if (from !== 'freshet.config.ts')
        cpSync(path.join(root, from), path.join(folder, to.endsWith('/') ? from : to), { recursive: true });
  } else expect(['FROM', 'WORKDIR', 'USER', 'EXPOSE', 'STOPSIGNAL', 'CMD']).toContain(name);
}

describe('examples/service', () => {
  test('the lines of the Dockerfile, in their order in a clean folder, make a service with its page', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const port = await findPort();
    const source = { name: 'notes', table: 'notes', text: { columns: ['title'] }, model: 'static' };
    const config = JSON.stringify({ sources: [source], service: { port } });
    writeFileSync(path.join(folder, 'freshet.config.ts'), `export default ${config};\n`);
    for (const instruction of instructions) follow(instruction);
    const [program, ...words] = JSON.parse(instructions.at(-1)!.rest) as string[];
    let log = '';
    child = spawn(program!, words, { cwd: folder, env });
    child.stderr?.on('data', chunk => {
      log += String(chunk);
    });
    const ended = new Promise(resolve => child!.once('close', resolve));
    const ask = async (address: string, body?: object) => {
      const init = body && {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      };
      const response = await fetch(`http://127.0.0.1:${port}${address}`, init);
      return [response.status, (await response.text()).length > 10];
    };

    await expect.poll(() => ask('/ready').catch(() => log), { timeout: 60_000 }).toEqual([200, true]);
    expect(await ask('/v1/embed', { model: 'static', texts: ['a small animal'] })).toEqual([200, true]);
    for (const address of ['/', '/page/page.css', '/page/page.js', '/openapi.json'])
      expect([address, ...(await ask(address))]).toEqual([address, 200, true]);

    child.kill('SIGTERM');
    expect(await ended).toBe(130);
  });

  test.skipIf(spawnSync('systemd-analyze', ['--version']).status !== 0)(
    'the unit is one that systemd takes without a word',
    () => {
      const unit = path.join(example, 'freshet-serve.service');

      const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', unit], { encoding: 'utf8' });

      expect([status, stdout, stderr]).toEqual([0, '', '']);
    },
  );
});
