import { describe, expect, test } from 'vitest';
import { FreshetError, UsageError } from '../../lib/core/errors.ts';
import { type MigratePorts, migrateDeployment } from '../../lib/pipeline/migrate.ts';
import { createRecordingLogger } from '../doubles/recording-logger.ts';
import { createScriptedProvider, DIMENSIONS, embedAll, failWith } from '../doubles/scripted-provider.ts';
import { buildModel } from '../factories/pipeline-config.ts';

const plenty = () => 300_000;

function makeDeployment(changes: Partial<MigratePorts> = {}) {
  const steps: string[] = [];
  const provider = createScriptedProvider();
  const logger = createRecordingLogger();
  const ports: MigratePorts = {
    models: [
      buildModel({ provider: 'openai', dimensions: DIMENSIONS, baseUrl: 'https://models.example/v1' }),
    ],
    keyOf: () => async () => 'key',
    openProviders: async () => () => provider,
    openDatabase: async () => ({
      prepare: async () => {
        steps.push('prepare');
        return { from: 0, to: 2, applied: ['schema'], spaces: 1 };
      },
      close: async () => void steps.push('close'),
    }),
    logger,
    ...changes,
  };
  return { ports, steps, provider, logger };
}

describe('a deployment', () => {
  test('has its database prepared once key and provider are there', async () => {
    const { ports, steps, provider } = makeDeployment();

    const report = await migrateDeployment(ports, plenty);

    expect(report).toEqual({ from: 0, to: 2, applied: ['schema'], spaces: 1 });
    expect(steps).toEqual(['prepare', 'close']);
    expect(provider.requests).toHaveLength(1);
  });

  test('of a model that runs in the function calls nobody', async () => {
    const { ports, provider } = makeDeployment({ models: [buildModel({ provider: 'hash' })] });

    await migrateDeployment(ports, plenty);

    expect(provider.requests).toEqual([]);
  });

  test('is refused where the provider gives vectors that cannot be stored', async () => {
    const { ports, steps, provider } = makeDeployment();
    provider.script = request => {
      const reply = embedAll(request);
      return { ...reply, items: reply.items.map(item => ({ ...item, bytes: Buffer.alloc(DIMENSIONS * 4) })) };
    };

    await expect(migrateDeployment(ports, plenty)).rejects.toMatchObject({ code: 'invalid_vector' });

    expect(steps).not.toContain('prepare');
  });

  test('is refused where another known model answers', async () => {
    const model = { provider: 'openai', modelId: 'bge-m3', dimensions: DIMENSIONS } as const;
    const { ports, steps, provider } = makeDeployment({ models: [buildModel(model)] });
    provider.script = request => ({ ...embedAll(request), model: 'all-mpnet-base-v2' });

    await expect(migrateDeployment(ports, plenty)).rejects.toMatchObject({ code: 'wrong_model' });

    expect(steps).not.toContain('prepare');
  });

  test.each(['throttled', 'transient'] as const)(
    'goes on where the provider answers that it is %s: there is a way to it',
    async failureClass => {
      const { ports, steps, provider, logger } = makeDeployment();
      provider.script = () => failWith(failureClass, 'http_503');

      await migrateDeployment(ports, plenty);

      expect(steps).toContain('prepare');
      expect(logger.lines).toMatchObject([
        { level: 'warn', fields: { code: 'http_503' } },
        { level: 'info' },
      ]);
    },
  );

  test.each(['network_econnrefused', 'network_enotfound', 'timeout'])(
    'without a way to the provider is refused with what to mend (%s), before anything is changed',
    async code => {
      const { ports, steps, provider } = makeDeployment();
      provider.script = () => failWith('transient', code);

      await expect(migrateDeployment(ports, plenty)).rejects.toThrow(
        `Model small cannot be reached from the function's subnets (models.example, ${code}): give them a way out`,
      );
      expect(steps).toEqual(['close']);
    },
  );

  test('whose key the provider refuses is refused', async () => {
    const { ports, provider } = makeDeployment();
    provider.script = () => failWith('stop', 'unauthorized');

    await expect(migrateDeployment(ports, plenty)).rejects.toMatchObject({
      message: expect.stringContaining('Model small cannot be used:'),
      code: 'unauthorized',
    });
  });

  test('whose model answers with other dimensions is refused', async () => {
    const { ports, provider } = makeDeployment({
      models: [buildModel({ provider: 'openai', dimensions: DIMENSIONS + 1 })],
    });
    provider.script = embedAll;

    await expect(migrateDeployment(ports, plenty)).rejects.toMatchObject({ code: 'wrong_dimensions' });
  });

  test('whose key cannot be read is refused by name before the database is opened', async () => {
    const { ports, steps } = makeDeployment({
      keyOf: () => async () => {
        throw new FreshetError('Secrets Manager did not do it (aws_AccessDeniedException).', {
          failureClass: 'stop',
          code: 'aws_AccessDeniedException',
        });
      },
    });

    await expect(migrateDeployment(ports, plenty)).rejects.toThrow(
      /^The key of model small cannot be read: .*providerSecrets/,
    );
    expect(steps).toEqual([]);
  });

  test('is refused with message and remedy on one line', async () => {
    const { ports, logger } = makeDeployment({
      openDatabase: async () => {
        throw new UsageError('Role "app" may not create.\n  Ask its owner.', 'GRANT CREATE …;');
      },
    });

    await expect(migrateDeployment(ports, plenty)).rejects.toThrow(
      'Role "app" may not create. Ask its owner. GRANT CREATE …;',
    );
    expect(logger.lines).toMatchObject([{ event: 'deployment-refused' }]);
  });

  test('tells nothing of what an unexpected error says', async () => {
    const { ports, logger } = makeDeployment({
      openDatabase: async () => {
        throw new Error('CANARY');
      },
    });

    const error = await migrateDeployment(ports, plenty).catch((thrown: unknown) => thrown);

    expect(`${(error as Error).message}${JSON.stringify(logger.lines)}`).not.toContain('CANARY');
  });
});
