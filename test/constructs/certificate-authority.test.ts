import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { afterEach, describe, expect, test } from 'vitest';
import { bundleFunctions } from '../../lib/constructs/bundling.ts';
import { resolveAuthority } from '../../lib/constructs/certificate-authority.ts';
import { UsageError } from '../../lib/core/errors.ts';
import { configInput, createApp, createStack, stageInput } from '../factories/pipeline-stack.ts';

const TLS = path.join(import.meta.dirname, '../fixtures/tls');
const AUTHORITY = path.join(TLS, 'authority.pem');
const PEM = readFileSync(AUTHORITY, 'utf8');
const PLACE = ['aws', 'stages', 'prod'];

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function makeFile(text: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'freshet-authority-'));
  folders.push(folder);
  const file = path.join(folder, 'ca.pem');
  writeFileSync(file, text);
  return file;
}

function refusalOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    const { message, remedy } = error as UsageError;
    return `${message} ${remedy ?? ''}`;
  }
  return '';
}

describe('the authorities of RDS', () => {
  test.each([
    ...['eu-west-1', 'us-east-1', 'af-south-1', 'ap-southeast-4', 'eu-central-2', 'me-central-1'],
    undefined,
  ])('verify a database in %s', region => {
    expect(resolveAuthority(undefined, PLACE, 'prod', region)).toEqual({ settings: 'rds', pem: undefined });
  });

  test.each(['il-central-1', 'ca-west-1', 'ap-southeast-5', 'ap-southeast-7', 'mx-central-1', 'xx-test-1'])(
    'are refused for a region that the bundle lacks, with where to get its own: %s',
    region => {
      const refusal = refusalOf(() => resolveAuthority('rds', PLACE, 'prod', region));

      expect(refusal).toContain(`none of ${region} is known`);
      expect(refusal).toContain(`https://truststore.pki.rds.amazonaws.com/${region}/${region}-bundle.pem`);
      expect(refusal).toContain('aws.stages.prod.database.certificateAuthority: { pem:');
    },
  );

  test.each(['us-gov-west-1', 'us-gov-east-1', 'cn-north-1', 'cn-northwest-1'])(
    'are refused for a region of another partition: %s',
    region => {
      expect(refusalOf(() => resolveAuthority('rds', PLACE, 'prod', region))).toMatch(
        new RegExp(`none of ${region} is known.*page of AWS on SSL/TLS with RDS in that partition`),
      );
    },
  );

  test.each(['proxy', 'public'] as const)('are not asked for by %s', authority => {
    expect(resolveAuthority(authority, PLACE, 'prod', 'il-central-1')).toEqual({
      settings: authority,
      pem: undefined,
    });
  });
});

describe('a host of which it is known who signs', () => {
  const proxy = 'shop.proxy-abcdefghijkl.eu-west-1.rds.amazonaws.com';
  const neon = 'ep-cool-name-123456.eu-central-1.aws.neon.tech';

  test.each([
    [undefined, proxy, 'is an RDS Proxy', '"proxy"'],
    ['proxy' as const, 'app.cluster-abc.eu-west-1.rds.amazonaws.com', 'is a server of RDS', '"rds"'],
    [undefined, neon, 'is a server of Neon', '"public"'],
    ['public' as const, 'db.abcdef.supabase.co', 'is a server of Supabase', '{ pem }'],
  ])('is refused with the authority %s: %s', (authority, host, name, remedy) => {
    const refusal = refusalOf(() => resolveAuthority(authority, PLACE, 'prod', 'eu-west-1', host));

    expect(refusal).toContain(name);
    expect(refusal).toContain(`Set aws.stages.prod.database.certificateAuthority to ${remedy}`);
  });

  test.each([
    [undefined, 'app.cluster-abc.eu-west-1.rds.amazonaws.com'],
    ['proxy' as const, proxy],
    ['public' as const, neon],
    [{ pem: AUTHORITY }, 'db.abcdef.supabase.co'],
    [undefined, 'db.example.com'],
    [undefined, undefined],
  ])('is taken with the one that signs for it: %j, %s', (authority, host) => {
    expect(refusalOf(() => resolveAuthority(authority, PLACE, 'prod', 'eu-west-1', host))).toBe('');
  });
});

describe('an authority of its own', () => {
  test.each([
    ['a file', AUTHORITY],
    ['a text', PEM],
  ])('is taken from %s, without what is no certificate', (_, pem) => {
    const { settings, pem: taken } = resolveAuthority({ pem }, PLACE, 'prod', 'il-central-1');

    expect(settings).toEqual({ file: 'certificate-authority.pem' });
    expect(taken?.trim()).toBe(PEM.trim());
    expect(resolveAuthority({ pem: `a comment\n${PEM}` }, PLACE, 'prod', undefined).pem).toBe(taken);
  });

  test.each([
    ['no file', () => '/nowhere/ca.pem', /certificateAuthority: \/nowhere\/ca\.pem cannot be read/],
    ['another text', () => makeFile('hello'), /holds no certificate: give/],
    ['a broken one', () => makeFile(PEM.replace(/M/g, 'N')), /holds a certificate that cannot be read/],
    [
      'a key beside it',
      () => makeFile(PEM + readFileSync(path.join(TLS, 'server-key.pem'), 'utf8')),
      /holds a private key/,
    ],
    [
      'a text with a key',
      () => readFileSync(path.join(TLS, 'server-key.pem'), 'utf8'),
      /holds a private key/,
    ],
  ])('is refused where it is %s', (_, makePem, expected) => {
    const refusal = refusalOf(() => resolveAuthority({ pem: makePem() }, PLACE, 'prod', 'eu-west-1'));

    expect(refusal).toMatch(expected);
    expect(refusal).toContain('aws.stages.prod.database.certificateAuthority');
    expect(refusal).not.toContain('BEGIN');
  });

  test('is in no template, and the functions are told where it lies', () => {
    const database = { ...stageInput.database, certificateAuthority: { pem: AUTHORITY } };
    const text = JSON.stringify(
      Template.fromStack(createStack(configInput({ stage: { database } }))).toJSON(),
    );

    expect(text).toContain('certificate-authority.pem');
    expect(text).not.toContain('BEGIN CERTIFICATE');
  }, 240_000);

  test('lies beside the code of a function', () => {
    const app = createApp();
    const stack = new Stack(app, 'Alone');
    const code = bundleFunctions(configInput(), PEM).codeOf('notify');
    new LambdaFunction(stack, 'Function', { code, handler: 'index.handler', runtime: Runtime.NODEJS_24_X });
    const { directory } = app.synth();

    const files = readdirSync(directory, { recursive: true }).map(String);
    const beside = files.filter(file => file.endsWith('certificate-authority.pem'));
    expect(beside).toHaveLength(1);
    expect(readFileSync(path.join(directory, beside[0] ?? ''), 'utf8')).toBe(PEM);
  }, 240_000);
});

test('a stage in a region without authorities is refused at synth', () => {
  const secretArn = stageInput.database.secretArn?.replace('eu-west-1', 'il-central-1');
  const stage = { region: 'il-central-1', database: { ...stageInput.database, secretArn } };

  expect(() => createStack(configInput({ stage }))).toThrow(/none of il-central-1 is known/);
});
