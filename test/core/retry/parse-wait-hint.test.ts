import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseWaitHint } from '../../../lib/core/retry.ts';

const NOW = Date.parse('2026-11-21T00:00:00Z');

describe('parseWaitHint', () => {
  it.each<[Record<string, string>, number | undefined]>([
    [{}, undefined],
    [{ 'retry-after': '2' }, 2000],
    [{ 'retry-after': '0.5' }, 500],
    [{ 'retry-after': 'Sat, 21 Nov 2026 00:01:00 GMT' }, 60_000],
    [{ 'retry-after': 'Fri, 20 Nov 2026 00:01:00 GMT' }, undefined],
    [{ 'retry-after-ms': '1500', 'retry-after': '9' }, 1500],
    [{ 'retry-after-ms': 'soon', 'retry-after': '9' }, 9000],
    [{ 'retry-after': '9', 'x-ratelimit-reset-tokens': '1h' }, 9000],
    [{ 'x-ratelimit-reset-requests': '20ms' }, 20],
    [{ 'x-ratelimit-reset-requests': '1s', 'x-ratelimit-reset-tokens': '6m0s' }, 360_000],
    [{ 'x-ratelimit-reset-requests': '2m3.5s' }, 123_500],
    [{ 'x-ratelimit-reset-requests': '1h2m3.5s' }, 3_600_000],
    [{ 'retry-after': '999999999' }, 3_600_000],
    [
      {
        'x-ratelimit-remaining-requests': '0',
        'x-ratelimit-reset-requests': '2s',
        'x-ratelimit-remaining-tokens': '900000',
        'x-ratelimit-reset-tokens': '6m0s',
      },
      2000,
    ],
    [{ 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-requests': '7s' }, 7000],
    [{ 'x-ratelimit-reset-requests': '60' }, 60_000],
    [{ 'x-ratelimit-reset-requests': '-1', 'x-ratelimit-reset-tokens': '0' }, undefined],
    [{ 'retry-after': '-1' }, undefined],
    [{ 'retry-after': 'Infinity' }, undefined],
    [{ 'retry-after': '' }, undefined],
    [{ 'retry-after': ' 7 ' }, 7000],
    [{ 'retry-after': '600' }, 600_000],
    [{ 'retry-after': '6m0s' }, 360_000],
    [{ 'retry-after': 'Saturday, 21-Nov-26 00:01:00 GMT' }, 60_000],
    [{ 'retry-after': 'Sat Nov 21 00:01:00 2026 GMT' }, 60_000],
    [{ 'retry-after': '2026-11-21T00:01:00Z' }, 60_000],
    [{ 'retry-after': String(NOW / 1000 + 60) }, 60_000],
    [{ 'retry-after': String(NOW / 1000 - 60) }, undefined],
    [{ 'retry-after': 'banana 2030' }, undefined],
    [{ 'retry-after': 'Sat, 99 Foo 2026 00:01:00 GMT' }, undefined],
    [{ 'retry-after': '0x10' }, undefined],
    [{ 'retry-after': '-5', 'x-ratelimit-reset-tokens': '3s' }, 3000],
    [{ 'retry-after': 'unlimited' }, undefined],
    [{ 'x-ratelimit-reset-tokens': '1ms' }, 1],
    [{ 'x-ratelimit-reset-tokens': '500us' }, 1],
    [{ 'x-ratelimit-reset-tokens': '1s200µs' }, 1001],
    [{ 'x-ratelimit-reset-tokens': '1m26.4s' }, 86_400],
    [{ 'x-ratelimit-reset-tokens': '2026-11-21T00:01:00Z' }, 60_000],
    [{ 'x-ratelimit-reset-tokens': String(NOW / 1000 + 60) }, 60_000],
    [{ 'x-ratelimit-reset-tokens': String(NOW + 60_000) }, 60_000],
    [{ 'x-ratelimit-reset-requests': '2s', 'x-ratelimit-reset-tokens': '2026-13-41T00:01:00Z' }, 2000],
    [{ 'x-ratelimit-reset-requests': '-1', 'x-ratelimit-reset-tokens': 'unlimited' }, undefined],
  ])('reads %o as %s ms', (headers, expected) => {
    expect(parseWaitHint({ get: name => headers[name] ?? null }, NOW)).toBe(expected);
  });

  it('is a positive whole number or nothing, whatever the headers say', () => {
    const value = fc.oneof(
      fc.string(),
      fc.float().map(String),
      fc.stringMatching(/^(\d{1,3}(ms|s|m|h)){0,3}$/),
    );

    fc.assert(
      fc.property(
        value,
        fc.constantFrom('retry-after', 'retry-after-ms', 'x-ratelimit-reset-tokens'),
        (text, name) => {
          const hint = parseWaitHint({ get: asked => (asked === name ? text : null) }, NOW);

          expect(hint === undefined || (Number.isInteger(hint) && hint > 0)).toBe(true);
        },
      ),
    );
  });
});
