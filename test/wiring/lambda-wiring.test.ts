import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLambda as createDetect } from '../../functions/detect/handler.ts';
import { createLambda as createGuard } from '../../functions/guard/handler.ts';
import { createLambda as createNotify } from '../../functions/notify/handler.ts';
import { createLambda as createWrite } from '../../functions/write/handler.ts';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { FreshetError } from '../../lib/core/errors.ts';
import { makeContext, makeSqsEvent } from '../factories/lambda-event.ts';

const settings = {
  stage: 'test',
  region: 'us-east-1',
  database: { host: 'db.invalid', port: 5432, name: 'app', user: 'app', certificateAuthority: 'rds' },
  queueUrlPrefix: 'https://sqs.invalid/1/freshet',
  models: ['hash'],
  claimsBucket: 'claims',
  keySecrets: {},
  embedVisibilitySeconds: 720,
  resultsVisibilitySeconds: 360,
  maxReceiveCount: 5,
};
const config = {
  sources: [{ name: 'items', table: 'items', text: { columns: ['title'] }, model: 'hash' }],
};

let directory: string;
let lines: string[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'freshet-function-'));
  lines = [];
});
afterEach(() => rmSync(directory, { recursive: true }));

function surround(deployment: unknown, configuration: unknown) {
  const text = typeof configuration === 'string' ? configuration : JSON.stringify(configuration);
  if (configuration !== undefined) writeFileSync(join(directory, 'freshet.config.json'), text);
  return {
    variables: { FRESHET_DEPLOYMENT: deployment === undefined ? undefined : JSON.stringify(deployment) },
    directory,
    writeLine: (line: string) => void lines.push(line),
    openDatabase: async () => {
      throw new FreshetError('PostgreSQL at db.invalid:5432 does not answer.', {
        failureClass: 'transient',
        code: 'network_econnrefused',
      });
    },
  };
}

describe('a function that cannot be wired', () => {
  test.each([
    ['has no settings', undefined, config, /FRESHET_DEPLOYMENT/],
    ['has a wrong setting', { ...settings, maxReceiveCount: 'five' }, config, /maxReceiveCount/],
    ['has no configuration', settings, undefined, /freshet\.config\.json does not lie beside/],
    ['has a configuration that is no JSON', settings, '{', /freshet\.config\.json: is no JSON/],
    [
      'has a wrong key',
      settings,
      { ...config, limit: {} },
      /limit: is not a known key; did you mean "limits"/,
    ],
    ['has no database', settings, config, /does not answer/],
  ])(
    'throws, so that Lambda counts an error and gives every record back: it %s',
    async (_, deployment, given, words) => {
      const invoke = createWrite(surround(deployment, given));

      await expect(invoke(makeSqsEvent(['a', 'b']), makeContext())).rejects.toThrow(words);

      const [log = '{}', ...others] = lines;
      expect(JSON.parse(log)).toMatchObject({ level: 'ERROR', event: 'wiring-failed', component: 'write' });
      expect(JSON.parse(log).reason).toMatch(words);
      expect(others).toEqual([]);
    },
  );

  test('says what was wrong also where the database that it opened cannot be closed', async () => {
    const refuse = async () => {
      throw new Error('already ended');
    };
    const broken = { engine: 'postgres', kysely: {}, close: refuse } as unknown as SqlDatabase;
    const invoke = createWrite({ ...surround(settings, config), openDatabase: async () => broken });

    await expect(invoke(makeSqsEvent([]), makeContext())).rejects.toThrow('An unexpected TypeError');
  });

  test('fails the tick of its schedule', async () => {
    const invoke = createDetect(surround(settings, config));

    await expect(invoke({ pass: 'incremental' }, makeContext())).rejects.toMatchObject({
      code: 'network_econnrefused',
    });
  });

  test('tells no value of a setting', async () => {
    const invoke = createWrite(surround({ ...settings, claimsBucket: 7, stage: 'CANARY' }, config));

    await invoke(makeSqsEvent([]), makeContext()).catch(() => {});

    expect(lines.join('\n')).not.toContain('CANARY');
  });
});

describe('guard', () => {
  test('cannot be wired without event sources to look after', async () => {
    const invoke = createGuard(surround(settings, config));

    await expect(invoke({}, makeContext())).rejects.toThrow(/eventSources/);
  });
});

describe('notify', () => {
  test.each([
    ['no settings', undefined],
    ['settings that are not whole', '{"stage":"CANARY"}'],
  ])('says like every other function that it cannot be wired with %s', async (_, FRESHET_WEBHOOK) => {
    const invoke = createNotify({ ...surround(settings, config), variables: { FRESHET_WEBHOOK } });

    const call = invoke({ Records: [] }, makeContext());

    await expect(call).rejects.toThrow('FRESHET_WEBHOOK');
    const [log = '{}', ...others] = lines;
    expect(JSON.parse(log)).toMatchObject({ level: 'ERROR', event: 'wiring-failed', component: 'notify' });
    expect(others).toEqual([]);
    expect(lines.join('\n')).not.toContain('CANARY');
  });
});
