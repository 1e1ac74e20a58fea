import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FreshetError } from '../../../lib/core/errors.ts';
import {
  type AnnounceMessage,
  type DispatchMessage,
  parseAnnounceMessage,
  parseDispatchMessage,
} from '../../../lib/core/messages.ts';

const dispatch: DispatchMessage = {
  v: 1,
  kind: 'dispatch',
  spaceId: 3,
  lane: 'fresh',
  dispatchId: '0b7f2f5e-6a55-4c0e-9d53-0f3a4f8b6c11',
  attempts: 0,
  ids: ['9007199254740993', 'O\'Reilly "\u0007', ''],
};

const announce: AnnounceMessage = {
  v: 1,
  kind: 'announce',
  spaceId: 3,
  dispatchId: dispatch.dispatchId,
  key: 'claims/3/0b7f2f5e.bin',
  sha256: 'a'.repeat(64),
  ids: [],
  calls: [dispatch.dispatchId],
};

const badMessage = expect.objectContaining({ failureClass: 'unknown', code: 'bad_message' });

describe('parseDispatchMessage', () => {
  it('reads what was written, ids of any characters included', () => {
    expect(parseDispatchMessage(JSON.stringify(dispatch))).toEqual(dispatch);
  });

  it.each<Record<string, unknown>>([
    { v: 2 },
    { v: '1' },
    { kind: 'announce' },
    { spaceId: 0 },
    { spaceId: 1.5 },
    { spaceId: '3' },
    { lane: 'slow' },
    { dispatchId: "x' OR 1=1" },
    { attempts: -1 },
    { attempts: null },
    { ids: [] },
    { ids: [1] },
    { ids: 'a' },
    { ids: undefined },
    { extra: 1 },
    { __proto__: 1, constructor: 1 },
  ])('refuses %o', change => {
    expect(() => parseDispatchMessage(JSON.stringify({ ...dispatch, ...change }))).toThrow(badMessage);
  });
});

describe('parseAnnounceMessage', () => {
  it('takes an announcement of before there was the key calls', () => {
    const { calls: _, ...older } = announce;
    expect(parseAnnounceMessage(JSON.stringify(older))).toEqual({ ...announce, calls: [] });
  });

  it('reads what was written', () => {
    expect(parseAnnounceMessage(JSON.stringify(announce))).toEqual(announce);
  });

  it.each<Record<string, unknown>>([
    { v: 0 },
    { kind: 'dispatch' },
    { key: '' },
    { key: '/etc/passwd' },
    { key: 'other/3/0b7f2f5e.bin' },
    { key: 'claims/../../other' },
    { key: 'claims/a b' },
    { key: 1 },
    { sha256: 'A'.repeat(64) },
    { sha256: 'a'.repeat(63) },
    { ids: [null] },
    { calls: ['no uuid'] },
    { lane: 'fresh' },
  ])('refuses %o', change => {
    expect(() => parseAnnounceMessage(JSON.stringify({ ...announce, ...change }))).toThrow(badMessage);
  });
});

it.each([parseDispatchMessage, parseAnnounceMessage])(
  '%o fails for anything else in one way, and does not repeat it',
  parse => {
    const bodies = fc.oneof(fc.string(), fc.json(), fc.constantFrom('null', '[]', '1', '{"v":1', ''));

    fc.assert(
      fc.property(bodies, body => {
        expect(() => parse(body)).toThrow(FreshetError);
        expect(() => parse(body)).toThrow(badMessage);
      }),
    );
    expect(() => parse('{"canary-key":1}')).toThrow(/^(?!.*canary)/);
  },
);
