import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { FUNCTION_NAMES } from '../../lib/constructs/function-settings.ts';

const root = path.resolve(import.meta.dirname, '../..');
const project = mkdtempSync(path.join(tmpdir(), 'freshet-project-'));
const modules = path.join(project, 'node_modules');
const installed = path.join(modules, 'freshet');
afterAll(() => rmSync(project, { recursive: true, force: true }));

/** Some 45 s of work in all; a machine that does something else besides takes longer. */
const TIMEOUT_MS = 300_000;

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional?: boolean }>>;
}

function run(program: string, words: readonly string[], directory = project) {
  // No credentials, no configuration of npm's own, no folder of the repository in the path of programs but that of Node.
  const folders = (process.env.PATH ?? '')
    .split(path.delimiter)
    .filter(folder => !folder.includes('node_modules'));
  const PATH = [path.dirname(process.execPath), ...folders].join(path.delimiter);
  const env = { PATH, HOME: project };
  const { status, stdout, stderr } = spawnSync(program, words, { cwd: directory, encoding: 'utf8', env });
  return { status, stdout, stderr };
}

/**
 * A lock for the project: the packages that it wants, in the versions of this repository's own lock, so that npm finds in its cache what
 * `npm ci` has put there, and asks the registry for nothing or little. What the package does not need, npm leaves out.
 */
function writeProject(tarball: string): void {
  const { packages } = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version: string } & Record<string, unknown>>;
  };
  const { '': ours, ...others } = packages;
  const { version, dependencies, peerDependencies, bin, engines } = ours!;
  const versionOf = (name: string) => others[`node_modules/${name}`]!.version;
  const wanted = {
    freshet: `file:${tarball}`,
    'aws-cdk-lib': versionOf('aws-cdk-lib'),
    constructs: versionOf('constructs'),
  };
  const project = { name: 'project', version: '1.0.0' };
  const ofAll = Object.entries(others).map(([place, { dev: _, devOptional: __, ...entry }]) => [
    place,
    entry,
  ]);
  const itself = { version, resolved: `file:${tarball}`, dependencies, peerDependencies, bin, engines };
  writeJson('package.json', { ...project, private: true, type: 'module', dependencies: wanted });
  writeJson('package-lock.json', {
    ...project,
    lockfileVersion: 3,
    requires: true,
    packages: {
      '': { ...project, dependencies: wanted },
      ...Object.fromEntries(ofAll),
      'node_modules/freshet': itself,
    },
  });
}

function writeJson(file: string, value: unknown): void {
  writeFileSync(path.join(project, file), JSON.stringify(value));
}

/** The settings of whoever runs the tests, but none that `npm run` hands on: they would say that the project is this repository. */
function npm(words: readonly string[], directory: string) {
  const kept = ['npm_config_cache', 'npm_config_registry', 'npm_config_userconfig'];
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('npm_') || kept.includes(name)),
  );
  const { status, stdout, stderr } = spawnSync('npm', words, { cwd: directory, encoding: 'utf8', env });
  return { status, text: stdout + stderr };
}

let manifest: Manifest;

/** As somebody else would: `npm pack` here, `npm install` of the tarball in a folder with nothing in it. */
beforeAll(() => {
  const packed = npm(['pack', '--offline', '--silent', '--pack-destination', project], root);
  expect(packed.status, packed.text).toBe(0);
  writeProject(readdirSync(project).find(file => file.endsWith('.tgz'))!);
  const words = ['install', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund'];
  const done = npm([...words, '--prefix', project], project);
  expect(done.status, done.text).toBe(0);
  manifest = JSON.parse(readFileSync(path.join(installed, 'package.json'), 'utf8'));
  writeFileSync(path.join(project, 'freshet.config.ts'), CONFIG);
  writeFileSync(path.join(project, 'app.ts'), APP);
}, TIMEOUT_MS);

const CONFIG = `import { defineConfig } from 'freshet';

export default defineConfig({
  sources: [{ name: 'articles', table: 'public.articles', text: { columns: ['title'] }, model: 'hash' }],
});
`;

const APP = `import { App, Stack } from 'aws-cdk-lib';
import { SecurityGroup, Vpc } from 'aws-cdk-lib/aws-ec2';
import { EmbeddingPipeline, type EmbeddingPipelineProps, type PipelineDatabase } from 'freshet/constructs';
import config from './freshet.config.ts';

const app = new App({ outdir: 'cdk.out', analyticsReporting: false });
const stack = new Stack(app, 'search', { env: { account: '111122223333', region: 'eu-west-1' } });
const vpc = Vpc.fromVpcAttributes(stack, 'Vpc', {
  vpcId: 'vpc-0123456789abcdef0',
  availabilityZones: ['eu-west-1a'],
  privateSubnetIds: ['subnet-0123456789abcdef0'],
  privateSubnetRouteTableIds: ['rtb-0123456789abcdef0'],
});
const database: PipelineDatabase = {
  host: 'db.example.com',
  name: 'app',
  secretArn: 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:freshet/database-AbCdEf',
  securityGroup: SecurityGroup.fromSecurityGroupId(stack, 'Database', 'sg-0123456789abcdef0'),
};
const props: EmbeddingPipelineProps = { config, vpc, database };
const pipeline = new EmbeddingPipeline(stack, 'Embeddings', props);
export const url: string = pipeline.resultsQueue.queue.queueUrl;
app.synth();
`;

/** Each line after \`@ts-expect-error\` is wrong, which only declarations that say something can tell. */
const MISTAKES = `import { defineConfig, type FreshetConfig } from 'freshet';
import { embedTexts } from 'freshet/client';

export const config: FreshetConfig = defineConfig({ sources: [] });
// @ts-expect-error
defineConfig({ source: [] });
export const { vectors } = await embedTexts(['a'], { url: '', profile: 'rt', models: ['hash'] });
// @ts-expect-error
embedTexts(['a'], { url: '', profile: 'slow', models: ['hash'] });
// @ts-expect-error
export const props: EmbeddingPipelineProps = { config };
// @ts-expect-error
export const queue: string = EmbeddingPipeline.prototype.resultsQueue;
`;

/** What the bundled `pg` imports where it is there, and does without where it is not. */
const OPTIONAL = ['pg-native', 'cloudflare:sockets'];

/** The oldest Node of the promise, and one that is too old; the tests themselves run on the newest. */
const NODES = { oldest: '22.19.0', refused: '20.19.5' };

function installNode(version: string): string {
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  const name = `node-${platform}-${process.arch}`;
  const folder = path.join(project, `node-${version}`);
  mkdirSync(folder);
  writeFileSync(path.join(folder, 'package.json'), '{}');
  const words = ['install', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund'];
  const done = npm([...words, `${name}@${version}`], folder);
  expect(done.status, done.text).toBe(0);
  return path.join(folder, 'node_modules', name, 'bin/node');
}

/** Configurations as people write them, by the name of their file. */
const WRITTEN: Readonly<Record<string, string>> = {
  'freshet.config.ts': CONFIG,
  'freshet.config.mts': CONFIG,
  'freshet.config.js': CONFIG,
  'freshet.config.mjs': CONFIG,
  'freshet.config.cjs': CONFIG.replace(/^import .*$/m, '').replace(
    'export default defineConfig(',
    'module.exports = (',
  ),
};

describe.each(['oldest', 'newest'] as const)('the command on the %s Node of the promise', which => {
  let node: string;
  beforeAll(() => {
    node = which === 'oldest' ? installNode(NODES.oldest) : process.execPath;
  }, TIMEOUT_MS);

  test.each([
    ['a project of modules', { type: 'module' }],
    ['a project of CommonJS, as `npm init -y` makes it', { type: 'commonjs' }],
    ['a project that says nothing', {}],
  ])('reads every kind of configuration in %s', { timeout: TIMEOUT_MS }, (_, kind) => {
    for (const [name, text] of Object.entries(WRITTEN)) {
      const folder = mkdtempSync(path.join(project, 'kind-'));
      writeFileSync(path.join(folder, 'package.json'), JSON.stringify(kind));
      writeFileSync(path.join(folder, name), text);

      const { status, stderr } = run(node, [path.join(installed, 'dist/bin/freshet.js'), 'status'], folder);

      expect({ name, status, lines: stderr.split('\n').length }).toEqual({ name, status: 2, lines: 3 });
      expect(stderr).toContain('There is no embedded database in');
    }
  });

  test('embeds the demo', { timeout: TIMEOUT_MS }, () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'freshet-demo-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const { status, stdout, stderr } = run(
      node,
      [path.join(installed, 'dist/bin/freshet.js'), 'start', '--json', '--max-items', '10'],
      folder,
    );

    expect(status, stderr).toBe(5);
    expect(JSON.parse(stdout)).toMatchObject({ embedded: 10 });
  });
});

test('an older Node is told so in one sentence at the first command', { timeout: TIMEOUT_MS }, () => {
  const node = installNode(NODES.refused);

  const { status, stdout, stderr } = run(node, [path.join(installed, 'dist/bin/freshet.js'), 'start']);

  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toMatch(/^freshet: Freshet needs Node 22\.19 or newer; this is Node 20\.19\.5 .*\n$/);
  expect(existsSync(path.join(project, '.freshet'))).toBe(false);
});

describe('the package', () => {
  test('holds JavaScript, declarations and every handler, and no source', () => {
    const files = readdirSync(installed, { recursive: true, encoding: 'utf8' });

    expect(files.filter(file => file.endsWith('.ts') && !file.endsWith('.d.ts'))).toEqual([]);
    expect(files).toContain('dist/lib/constructs/embedding-pipeline.js');
    expect(files).toContain('dist/lib/adapters/api/client.js');
    expect(files).toContain('dist/lib/adapters/local/inference-process.js');
    for (const name of [...FUNCTION_NAMES, 'notify'])
      expect(files).toContain(`dist/handlers/${name}/index.mjs`);
    for (const name of ['embed', 'operate'])
      expect(files).toContain(`dist/handlers/${name}/node_modules/gpt-tokenizer/data/cl100k_base.tiktoken`);
    expect(existsSync(path.join(modules, 'esbuild'))).toBe(false);
  });

  test('holds the pages that its README and its messages name', () => {
    const readme = readFileSync(path.join(installed, 'README.md'), 'utf8');
    const pages = [...readme.matchAll(/\]\((docs\/[^)#]+)/g)].map(([, page]) => page!);

    expect(pages.length).toBeGreaterThan(5);
    expect(pages.filter(page => !existsSync(path.join(installed, page)))).toEqual([]);
    const programs = readdirSync(path.join(installed, 'dist/program'))
      .filter(file => file.endsWith('.cjs'))
      .map(file => readFileSync(path.join(installed, 'dist/program', file), 'utf8'));
    expect(programs.some(text => text.includes('node_modules/freshet/docs'))).toBe(true);
  });

  test('imports no package that its manifest does not name', () => {
    const files = readdirSync(installed, { recursive: true, encoding: 'utf8' }).filter(
      file => /\.[cm]?js$/.test(file) && !file.startsWith('dist/handlers/'),
    );
    const imported = files.flatMap(file =>
      [
        ...readFileSync(path.join(installed, file), 'utf8').matchAll(
          /^\s*(?:import|export)\b[^;'"]*?\bfrom\s*['"]([^'".][^'"]*)['"]|\b(?:import|require)\(\s*['"]([^'".][^'"]*)['"]/gm,
        ),
      ].map(([, from, lazily]) => from ?? lazily!),
    );
    const packages = imported
      .filter(name => !name.startsWith('node:'))
      .map(name => name.split('/', name.startsWith('@') ? 2 : 1).join('/'));
    const named = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });

    expect(packages).toEqual(expect.arrayContaining(['@electric-sql/pglite', 'aws-cdk-lib', 'jiti', 'zod']));
    const strangers = [...new Set(packages)].filter(name => !named.includes(name) && !isBuiltin(name));
    expect(strangers.filter(name => !OPTIONAL.includes(name))).toEqual([]);
  });

  test('leaves the CDK to the project that uses it, and the runtimes of models to who wants one', () => {
    const isOptional = (name: string) => manifest.peerDependenciesMeta[name]?.optional === true;
    const peers = Object.keys(manifest.peerDependencies).sort();
    expect(peers.filter(name => !isOptional(name))).toEqual(['aws-cdk-lib', 'constructs']);
    expect(peers.filter(isOptional)).toEqual(['onnxruntime-node', 'onnxruntime-web']);
    expect(Object.keys(manifest.dependencies).filter(name => /cdk|constructs/.test(name))).toEqual([]);
  });

  test('describes a pipeline in the stack of another app', { timeout: TIMEOUT_MS }, () => {
    const { status, stderr } = run(process.execPath, ['app.ts']);

    expect(status, stderr).toBe(0);
    const assembly = path.join(project, 'cdk.out');
    const template = JSON.parse(readFileSync(path.join(assembly, 'search.template.json'), 'utf8'));
    const resources: { Type: string; Properties: { Description?: string; Code: { S3Key: string } } }[] =
      Object.values(template.Resources);
    const ours = resources.filter(
      ({ Type, Properties }) =>
        Type === 'AWS::Lambda::Function' && String(Properties.Description).startsWith('Freshet '),
    );
    expect(ours.map(({ Properties }) => String(Properties.Description).split(/[ :]/)[1]).sort()).toEqual(
      [...FUNCTION_NAMES].sort(),
    );
    for (const { Properties } of ours) {
      const folder = path.join(assembly, `asset.${path.basename(Properties.Code.S3Key, '.zip')}`);
      expect(existsSync(path.join(folder, 'index.mjs'))).toBe(true);
      expect(JSON.parse(readFileSync(path.join(folder, 'freshet.config.json'), 'utf8')).sources[0].name).toBe(
        'articles',
      );
    }
  });

  test('has declarations that accept a right use and refuse a wrong one', { timeout: TIMEOUT_MS }, () => {
    writeFileSync(path.join(project, 'mistakes.ts'), MISTAKES);
    const options = [
      '--module nodenext --target es2024 --strict --exactOptionalPropertyTypes --skipLibCheck --noEmit',
    ];
    const { status, stdout } = run(path.join(root, 'node_modules/.bin/tsc'), [
      ...options.join(' ').split(' '),
      '--allowImportingTsExtensions',
      '--types',
      path.join(root, 'node_modules/@types/node'),
      'app.ts',
      'mistakes.ts',
    ]);

    expect(stdout).toBe('');
    expect(status).toBe(0);
  });

  test('runs its commands by npx, without a loader', { timeout: TIMEOUT_MS }, () => {
    // A project of its own without a configuration: below one, the demo is not taken.
    const folder = mkdtempSync(path.join(tmpdir(), 'freshet-elsewhere-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    symlinkSync(modules, path.join(folder, 'node_modules'));
    const freshet = (...words: string[]) => run('npx', ['--no-install', 'freshet', ...words], folder);
    const help = freshet('--help');
    const start = freshet('start', '--json');
    const again = freshet('run', '--json');

    expect(help.status, help.stderr).toBe(0);
    expect(help.stdout).toContain('search');
    expect(start.status, start.stderr).toBe(0);
    expect(JSON.parse(start.stdout)).toMatchObject({ embedded: 2000, spaces: [{ coveragePercent: 100 }] });
    expect(again.status, again.stderr).toBe(0);
    expect(JSON.parse(again.stdout)).toMatchObject({ embedded: 0, providerCalls: 0 });
  });
});
