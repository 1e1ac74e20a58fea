import { spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bundleProgram } from '../../bin/bundle/make-bundle.ts';
import { boundYoungHeap, countBuffersAsHeap } from '../../lib/adapters/system.ts';

const root = path.resolve(import.meta.dirname, '../..');
const MODULES = path.join(root, 'node_modules');

let checkout: string;

/** A checkout whose program is one file that says what it is, and which takes milliseconds to bundle. */
beforeEach(() => {
  checkout = mkdtempSync(path.join(tmpdir(), 'freshet-checkout-'));
  for (const file of ['package.json', 'tsconfig.json', '.gitignore', 'bin/bundle', 'bin/freshet.ts'])
    cpSync(path.join(root, file), path.join(checkout, file), { recursive: true });
  for (const file of ['bin/require-node.cjs', 'bin/compile-cache.cjs', 'lib/core/own-command.ts'])
    cpSync(path.join(root, file), path.join(checkout, file));
  symlinkSync(MODULES, path.join(checkout, 'node_modules'));
  write('bin/main.ts', PROGRAM);
  write('lib/greeting.ts', `export const greeting: string = 'one';\n`);
  write('lib/late.ts', `export const late: string = 'late';\n`);
});
afterEach(() => rmSync(checkout, { recursive: true, force: true }));

const PROGRAM = `import { greeting } from '../lib/greeting.ts';
void main();
async function main() {
  if (process.argv[2] === 'wait') {
    process.stdout.write('waiting\\n');
    await new Promise(resolve => process.stdin.once('data', resolve));
    process.stdin.unref();
  }
  if (process.argv[3] === 'much') for (let turn = 0; turn < 2e9; turn += 1);
  const { late } = await import('../lib/late.ts');
  const [, frame = ''] = new Error('for its stack').stack!.split('\\n');
  const isBundled = import.meta.url.includes('.cache');
  process.stdout.write(JSON.stringify({ greeting, late, isBundled, frame: frame.trim() }) + '\\n');
}
`;

function write(file: string, text: string): void {
  mkdirSync(path.dirname(path.join(checkout, file)), { recursive: true });
  writeFileSync(path.join(checkout, file), text);
}

function start(...words: string[]): { greeting: string; late: string; isBundled: boolean; frame: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['bin/freshet.ts', ...words], {
    cwd: checkout,
    encoding: 'utf8',
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout);
}

const record = () => path.join(checkout, '.cache/program.json');

/** An edit right before a command counts as made during it, which is tested by itself. */
const letClockStep = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 30);

function git(...words: string[]): void {
  const settings = ['-c', 'user.name=a', '-c', 'user.email=a@example.com'];
  const { status, stderr } = spawnSync('git', [...settings, ...words], { cwd: checkout, encoding: 'utf8' });
  expect(status, stderr).toBe(0);
}

describe('the command line of a checkout', () => {
  test('runs from a bundle that its first start made, and keeps it', () => {
    expect(start()).toMatchObject({ greeting: 'one', isBundled: true });
    const made = statSync(record()).mtimeMs;

    expect(start()).toMatchObject({ greeting: 'one', late: 'late', isBundled: true });
    expect(statSync(record()).mtimeMs).toBe(made);
  });

  test('has the characters that its sources have, also where no build escapes them', () => {
    write('lib/greeting.ts', 'export const greeting: string = String.raw`ä · …` + /^[µ–]$/.test(`–`);\n');

    expect(start().greeting).toBe('ä · …true');
    expect(start()).toMatchObject({ greeting: 'ä · …true', isBundled: true });
  });

  test('names the sources in its stacks', () => {
    start();

    expect(start().frame).toMatch(/^at (async )?(main \()?file:\/\/.*\/bin\/main\.ts:11:\d+\)?$/);
  });

  test.each([
    ['an edited file', () => write('lib/greeting.ts', `export const greeting: string = 'two';\n`)],
    ['an edited file that is loaded late', () => write('lib/late.ts', `export const late = 'two';\n`)],
    [
      'an edit that keeps size and place but for the time',
      () => {
        write('lib/greeting.ts', `export const greeting: string = 'two';\n`);
        utimesSync(path.join(checkout, 'lib/greeting.ts'), 1, 1);
      },
    ],
    [
      'a file that was deleted, with its import',
      () => {
        unlinkSync(path.join(checkout, 'lib/greeting.ts'));
        write('bin/main.ts', PROGRAM.replace(/^import.*$/m, `const greeting = 'two';`));
      },
    ],
  ])('shows %s at once', (_, edit) => {
    start();
    edit();
    letClockStep();

    const { greeting, late, isBundled } = start();
    expect([greeting, late]).toContain('two');
    expect(isBundled).toBe(true);
  });

  test('shows what `git checkout` brought', () => {
    git('init', '--quiet');
    git('add', '--all');
    git('commit', '--quiet', '--message', 'one');
    write('lib/greeting.ts', `export const greeting: string = 'two';\n`);
    git('commit', '--quiet', '--all', '--message', 'two');
    expect(start().greeting).toBe('two');

    git('checkout', '--quiet', 'HEAD~');
    expect(start().greeting).toBe('one');
    git('checkout', '--quiet', '-');
    expect(start().greeting).toBe('two');
    expect(spawnSync('git', ['status', '--short'], { cwd: checkout, encoding: 'utf8' }).stdout).toBe('');
  });

  test('ends as the sources end where they do not compile', () => {
    start();
    write('lib/greeting.ts', 'export const greeting: string = ;\n');

    const { status, stderr } = spawnSync(process.execPath, ['bin/freshet.ts'], {
      cwd: checkout,
      encoding: 'utf8',
    });
    expect(status).not.toBe(0);
    expect(stderr).toContain('lib/greeting.ts');
  });

  test.each([
    ['without esbuild, as after npm ci --omit=dev', hideEsbuild],
    ['where it can write nothing', forbidWriting],
  ])('runs from its sources %s', (_, prevent) => {
    prevent();

    expect(start()).toMatchObject({ greeting: 'one', late: 'late', isBundled: false });
  });

  test.each([
    ['the record', () => rmSync(record())],
    ['half of the record', () => writeFileSync(record(), readFileSync(record(), 'utf8').slice(0, 100))],
    ['an empty record', () => writeFileSync(record(), '{}')],
    ['a file of the bundle', () => rmSync(path.join(programs(), bundled()[0]!))],
    ['half of a file', () => writeFileSync(path.join(programs(), bundled()[0]!), 'half')],
    ['everything', () => rmSync(path.join(checkout, '.cache'), { recursive: true })],
  ])('makes its bundle anew where %s is gone or broken', (_, lose) => {
    start();
    lose();
    letClockStep();

    expect(start()).toMatchObject({ greeting: 'one', late: 'late', isBundled: true });
  });

  test('gives a process that runs what it loads late, after another start has made a new bundle', async () => {
    start();
    const running = spawn(process.execPath, ['bin/freshet.ts', 'wait'], {
      cwd: checkout,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let output = '';
    const waiting = new Promise<void>(resolve =>
      running.stdout.setEncoding('utf8').on('data', text => {
        output += text;
        if (output.startsWith('waiting\n')) resolve();
      }),
    );
    await waiting;
    write('lib/late.ts', `export const late = 'two';\n`);
    letClockStep();
    expect(start().late).toBe('two');

    running.stdin.end('go on\n');
    await new Promise(resolve => running.on('close', resolve));
    expect(JSON.parse(output.split('\n')[1]!)).toMatchObject({ late: 'late', isBundled: true });
  });

  test('is started many times at once, with no half of anything, and leaves nothing unfinished', async () => {
    const starts = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const child = spawn(process.execPath, ['bin/freshet.ts'], { cwd: checkout });
        let text = '';
        child.stdout.setEncoding('utf8').on('data', part => {
          text += part;
        });
        return new Promise<string>(resolve => child.on('close', () => resolve(text)));
      }),
    );

    for (const text of starts) expect(JSON.parse(text)).toMatchObject({ greeting: 'one', late: 'late' });
    expect(bundled().filter(name => !/-[A-Z0-9]{8}\.cjs(\.map)?$/.test(name))).toEqual([]);
  });

  test('works after it was killed while it made the bundle, at whatever moment', async () => {
    for (const afterMs of [100, 150, 200, 250, 300, 350]) {
      rmSync(path.join(checkout, '.cache'), { recursive: true, force: true });
      const child = spawn(process.execPath, ['bin/freshet.ts'], { cwd: checkout, stdio: 'ignore' });
      const closed = new Promise(resolve => child.on('close', resolve));
      await new Promise(resolve => setTimeout(resolve, afterMs));
      child.kill('SIGKILL');
      await closed;

      expect(start()).toMatchObject({ greeting: 'one', late: 'late' });
    }
  });

  test('takes no bundle for current whose sources changed while it was made', () => {
    // A file that changes in the moment of its reading looks like one that has just been changed.
    start();
    const before = readFileSync(record(), 'utf8');
    write('lib/greeting.ts', `export const greeting: string = 'two';\n`);
    const { outcome } = JSON.parse(
      spawnSync(process.execPath, ['--input-type=module', '--eval', MAKE_WHILE_EDITED], {
        cwd: checkout,
        encoding: 'utf8',
      }).stdout,
    );

    expect(outcome).toBe('none');
    expect(readFileSync(record(), 'utf8')).toBe(before);
  });

  test('removes what bundles of the last days do not have', () => {
    start();
    const [old, recent] = ['program-AAAAAAAA.cjs', 'program-BBBBBBBB.cjs'].map(name =>
      path.join(programs(), name),
    );
    for (const file of [old!, recent!]) appendFileSync(file, 'of an earlier bundle');
    utimesSync(old!, 1, 1);
    write('lib/greeting.ts', `export const greeting: string = 'two';\n`);
    letClockStep();
    start();

    expect([existsSync(old!), existsSync(recent!)]).toEqual([false, true]);
  });
});

describe('the bundle of the command line', () => {
  test('is ASCII, so that V8 keeps a byte for each character of it', () => {
    const { files } = bundleProgram(root, path.join(root, '.cache/programs'));
    const program = new TextDecoder().decode(files.find(({ name }) => name.endsWith('.cjs'))!.contents);

    expect(program.match(/.{0,40}[^\0-\x7f].{0,40}/g) ?? []).toEqual([]);
  });
});

describe('the code that V8 made of the program', () => {
  test('is kept by the first start of a command, and used by the next', () => {
    start('status');
    const [kept] = codeFiles();
    expect(kept).toMatch(/^program-[A-Z0-9]{8}-status\.code$/);
    const made = statSync(inCompiled(kept!)).mtimeMs;

    expect(start('status')).toMatchObject({ greeting: 'one', late: 'late', isBundled: true });
    expect(codeFiles()).toEqual([kept]);
    expect(statSync(inCompiled(kept!)).mtimeMs).toBe(made);
  });

  test('is used also where the one that made it changed the flags of V8 that a run changes', () => {
    const flags: string[] = [];
    countBuffersAsHeap(undefined, each => flags.push(each));
    boundYoungHeap(
      undefined,
      () => Number.POSITIVE_INFINITY,
      each => flags.push(each),
    );
    write(
      'lib/late.ts',
      `import { setFlagsFromString } from 'node:v8';
for (const flag of ${JSON.stringify(flags)}) setFlagsFromString(flag);
export const late: string = 'late';\n`,
    );
    start('run');
    const kept = inCompiled(codeFiles()[0]!);
    const made = statSync(kept).mtimeMs;

    start('run');

    // Code that V8 refuses is made anew.
    expect(statSync(kept).mtimeMs).toBe(made);
  });

  test('is another for another command, and for another program', () => {
    start('status');
    start('run');
    expect(codeFiles()).toHaveLength(2);
    write('lib/greeting.ts', `export const greeting: string = 'two';\n`);
    letClockStep();

    expect(start('run').greeting).toBe('two');
    expect(codeFiles()).toHaveLength(3);
  });

  test.each([
    ['half of it', (code: Buffer) => code.subarray(0, code.length / 2)],
    ['nothing', () => Buffer.alloc(0)],
    ['a changed byte', (code: Buffer) => Buffer.concat([code.subarray(0, -1), Buffer.of(code.at(-1)! ^ 1)])],
  ])('is not used where %s is left of it, and made anew', (_, damage) => {
    start('status');
    const file = inCompiled(codeFiles()[0]!);
    const whole = readFileSync(file);
    writeFileSync(file, damage(whole));

    expect(start('status')).toMatchObject({ greeting: 'one', isBundled: true });
    expect(Math.abs(statSync(file).size - whole.length)).toBeLessThan(whole.length / 4);
  });

  test('is made anew by a start that does much more', () => {
    start('run');
    const file = inCompiled(codeFiles()[0]!);
    const cpuMs = readFileSync(file).readUInt32LE(4);
    start('run', 'much');

    expect(readFileSync(file).readUInt32LE(4)).toBeGreaterThan(2 * cpuMs);
  });

  test('is kept of the last three programs', () => {
    for (const word of ['two', 'three', 'four', 'five']) {
      start('status');
      write('lib/greeting.ts', `export const greeting: string = '${word}';\n`);
      letClockStep();
    }

    expect(start('status').greeting).toBe('five');
    expect(codeFiles()).toHaveLength(3);
  });

  test('is neither looked for nor kept where Node is to keep no compiled code', () => {
    process.env.NODE_DISABLE_COMPILE_CACHE = '1';
    try {
      expect(start('status')).toMatchObject({ greeting: 'one', isBundled: true });
    } finally {
      delete process.env.NODE_DISABLE_COMPILE_CACHE;
    }
    expect(existsSync(path.join(checkout, '.cache/compiled'))).toBe(false);
  });
});

const codeFiles = () =>
  readdirSync(path.join(checkout, '.cache/compiled'), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.code'))
    .map(name => path.basename(name));

/** The path of a file by its name, whatever Node names the folder between. */
function inCompiled(name: string): string {
  const compiled = path.join(checkout, '.cache/compiled');
  return path.join(compiled, readdirSync(compiled)[0]!, name);
}

const programs = () => path.join(checkout, '.cache/programs');

const bundled = () => readdirSync(programs());

/** Makes a bundle whose clock stands still before the edit. */
const MAKE_WHILE_EDITED = `
const { makeBundle } = await import('./bin/bundle/make-bundle.ts');
const { statSync } = await import('node:fs');
const edited = statSync('lib/greeting.ts').ctimeMs;
Date.now = () => edited - 50;
const made = makeBundle({ root: process.cwd(), programs: process.cwd() + '/.cache/programs', record: process.cwd() + '/.cache/program.json' });
process.stdout.write(JSON.stringify({ outcome: made === undefined ? 'none' : 'made' }));
`;

/** node_modules with everything but esbuild. */
function hideEsbuild(): void {
  rmSync(path.join(checkout, 'node_modules'));
  mkdirSync(path.join(checkout, 'node_modules'));
}

/** A file where the cache's folder would be: root may write everywhere, and not there. */
function forbidWriting(): void {
  writeFileSync(path.join(checkout, '.cache'), '');
}
