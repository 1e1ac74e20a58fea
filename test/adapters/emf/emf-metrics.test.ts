import { afterEach, describe, expect, test, vi } from 'vitest';
import { createEmfMetrics } from '../../../lib/adapters/emf-metrics.ts';

const dimensions = { stage: 'local', component: 'embed', provider: 'hash' };

function open() {
  const lines: string[] = [];
  const metrics = createEmfMetrics({ write: line => lines.push(line), dimensions });
  return { metrics, lines, event: () => JSON.parse(lines[0] ?? '{}') };
}

describe('EMF metrics', () => {
  afterEach(() => vi.restoreAllMocks());

  test('write one event with the three dimensions and no others', async () => {
    const { metrics, lines, event } = open();

    metrics.count('EmbeddedRows', 3);
    metrics.duration('WriteLatency', 12);
    metrics.property('source', 'items');
    await metrics.flush();

    expect(lines).toHaveLength(1);
    expect(event()).toMatchObject({ ...dimensions, EmbeddedRows: 3, WriteLatency: 12, source: 'items' });
    const [directive] = event()._aws.CloudWatchMetrics;
    expect(directive.Namespace).toBe('Freshet');
    expect(directive.Dimensions).toEqual([['stage', 'component', 'provider']]);
    expect(directive.Metrics).toEqual([
      { Name: 'EmbeddedRows', Unit: 'Count' },
      { Name: 'WriteLatency', Unit: 'Milliseconds' },
    ]);
  });

  test('start afresh after a flush, and write nothing when nothing was gathered', async () => {
    const { metrics, lines } = open();

    metrics.count('EmbeddedRows', 3);
    await metrics.flush();
    await metrics.flush();
    metrics.count('FailedRows', 1);
    await metrics.flush();

    expect(lines).toHaveLength(2);
    expect(lines[1]).not.toContain('EmbeddedRows');
  });

  test('never write to standard output by themselves', async () => {
    const { metrics } = open();
    const output = vi.spyOn(process.stdout, 'write');
    const log = vi.spyOn(console, 'log');

    metrics.count('EmbeddedRows', 3);
    await metrics.flush();

    expect(output).not.toHaveBeenCalled();
    expect(log).not.toHaveBeenCalled();
  });

  test('do not fail the batch when a line cannot be written', async () => {
    const metrics = createEmfMetrics({
      dimensions,
      write: () => {
        throw new Error('disk full');
      },
    });

    metrics.count('EmbeddedRows', 3);

    await expect(metrics.flush()).resolves.toBeUndefined();
  });
});
