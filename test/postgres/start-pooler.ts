import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';

/** The tree that `.ci/pgbouncer` made; vitest.postgres.config.ts leaves the suite out without it. */
const root = process.env.PGBOUNCER_ROOT ?? '/';

const PROGRAMS = {
  /** Of Debian's stable. */
  stable: '/usr/sbin/pgbouncer',
  /** Of Debian's oldstable; a tree may lack it. */
  oldstable: '/opt/pgbouncer-oldstable/usr/sbin/pgbouncer',
};

export type PoolerRelease = keyof typeof PROGRAMS;

/** The releases that the tree has, each with its version. */
export function listReleases(): readonly (readonly [PoolerRelease, string])[] {
  return (Object.keys(PROGRAMS) as PoolerRelease[])
    .filter(release => existsSync(join(root, PROGRAMS[release])))
    .map(release => {
      const said = execFileSync('chroot', [root, PROGRAMS[release], '--version'], { encoding: 'utf8' });
      return [release, said.split('\n')[0] ?? ''];
    });
}

export interface Pooler {
  readonly port: number;
  /** Changes a database URL so that it asks the pooler. */
  readonly through: (databaseUrl: string) => string;
  close(): Promise<void>;
}

export interface PoolerOptions {
  readonly release?: PoolerRelease;
  /** Lines of the section `[pgbouncer]`. */
  readonly settings: Readonly<Record<string, string | number>>;
  /** Processes that share one port, each with a pool of its own. */
  readonly processes?: number;
}

/** Starts PgBouncer in front of the server of DATABASE_URL, for every database of it. */
export async function startPooler(options: PoolerOptions): Promise<Pooler> {
  const server = new URL(process.env.DATABASE_URL ?? '');
  const { release = 'stable', processes = 1 } = options;
  const directory = mkdtempSync(join(root, 'tmp/freshet-pgbouncer-'));
  chmodSync(directory, 0o755);
  const port = await findFreePort();
  const inside = directory.slice(root.length);
  for (const file of ['server.pem', 'server-key.pem'])
    writeFileSync(join(directory, file), readFileSync(new URL(`../fixtures/tls/${file}`, import.meta.url)));
  writeFileSync(join(directory, 'users'), '"postgres" ""\n');
  const settings = {
    listen_addr: '127.0.0.1',
    listen_port: port,
    unix_socket_dir: '',
    auth_type: 'trust',
    auth_file: `${inside}/users`,
    so_reuseport: processes > 1 ? 1 : 0,
    client_tls_sslmode: 'allow',
    client_tls_cert_file: `${inside}/server.pem`,
    client_tls_key_file: `${inside}/server-key.pem`,
    ...options.settings,
  };
  writeFileSync(
    join(directory, 'pgbouncer.ini'),
    [
      '[databases]',
      `* = host=${server.hostname} port=${server.port}`,
      '[pgbouncer]',
      ...Object.entries(settings).map(([key, value]) => `${key} = ${value}`),
    ].join('\n'),
  );
  const words = ['--userspec=postgres:postgres', root, PROGRAMS[release], '-q', `${inside}/pgbouncer.ini`];
  const children = Array.from({ length: processes }, () =>
    spawn('chroot', words, { stdio: ['ignore', 'ignore', 'pipe'] }),
  );
  await Promise.all(children.map(child => waitForPort(child, port)));
  return {
    port,
    through: databaseUrl => Object.assign(new URL(databaseUrl), { host: `127.0.0.1:${port}` }).href,
    async close() {
      await Promise.all(children.map(stop));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Waits until the pooler listens; rejects with its words when it ends before. */
async function waitForPort(child: ChildProcess, port: number): Promise<void> {
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', text => {
    said += text;
  });
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (child.exitCode !== null) throw new Error(`PgBouncer ended with ${child.exitCode}: ${said}`);
    if (await isListening(port)) return;
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  throw new Error(`PgBouncer does not listen on port ${port}: ${said}`);
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return once(socket, 'connect')
    .then(
      () => true,
      () => false,
    )
    .finally(() => socket.destroy());
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
