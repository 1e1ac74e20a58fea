import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type DispatchMessage,
  findSendFault,
  parseDispatchMessage,
  writeMessage,
} from '../../../lib/core/messages.ts';

const dispatch: DispatchMessage = {
  v: 1,
  kind: 'dispatch',
  spaceId: 3,
  lane: 'fresh',
  dispatchId: '0b7f2f5e-6a55-4c0e-9d53-0f3a4f8b6c11',
  attempts: 0,
  ids: ['1'],
};

describe('writeMessage', () => {
  it('writes every id so that a queue carries it and it is read back the same', () => {
    const anyText = fc.string({ unit: 'binary', maxLength: 20 });
    fc.assert(
      fc.property(fc.array(anyText, { minLength: 1 }), ids => {
        const body = writeMessage({ ...dispatch, ids });

        expect(findSendFault({ body })).toBeUndefined();
        expect(parseDispatchMessage(body).ids).toEqual(ids);
      }),
    );
  });

  it.each(['\uffff', '\ufffe', '\ud800', '\0', '\u007f', '\u{1f600}'])('carries the key %j', id => {
    const body = writeMessage({ ...dispatch, ids: [id] });

    expect(findSendFault({ body })).toBeUndefined();
    expect(parseDispatchMessage(body).ids).toEqual([id]);
  });
});
