import { Duplex } from 'node:stream';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { sendBuffersUncopied } from '../../../lib/adapters/postgres/send-statements.ts';
import { BytePieces } from '../../../lib/core/vectors.ts';

const LARGE = Buffer.alloc(70_000, 7);
const SMALL = Buffer.from([0, 1, 255]);

const PIECES = new BytePieces([Buffer.alloc(20, 1), LARGE, SMALL, LARGE]) as unknown as Buffer;

type Values = pg.BindConfig['values'];

/** What a connection writes for one Bind, in pieces, by the driver alone or with large Buffers uncopied. */
function bind(values: Values, uncopied: boolean): readonly Buffer[] {
  const pieces: Buffer[] = [];
  const stream = new Duplex({
    read: () => undefined,
    write: (piece, _encoding, done) => {
      pieces.push(piece);
      done();
    },
  });
  const connection = new pg.Connection({ stream } as unknown as pg.ConnectionConfig);
  if (uncopied) sendBuffersUncopied(connection);
  connection.bind(
    {
      statement: 'freshet_1',
      values,
      valueMapper: value => (value instanceof BytePieces ? value.toPostgres() : value),
    },
    false,
  );
  return pieces;
}

const join = (pieces: readonly Buffer[]) => Buffer.concat(pieces).toString('hex');

describe('a statement with a large Buffer', () => {
  test.each<[string, Values]>([
    ['first', [LARGE, '{1,2}', null, 'größer 🌊', '']],
    ['in the middle', ['{1,2}', LARGE, SMALL]],
    ['last', [undefined, SMALL, '{}', LARGE]],
    ['twice', [LARGE, 'between', LARGE]],
    ['alone', [LARGE]],
    ['in pieces', ['{1,2}', PIECES, '{}']],
  ])('is the driver’s own message where the Buffer is %s', (_place, values) => {
    expect(join(bind(values, true))).toBe(join(bind(values, false)));
  });

  test('goes to the socket as it is, in the memory where it lies', () => {
    const pieces = bind(['{1,2}', LARGE, '{}'], true);
    expect(pieces).toHaveLength(3);
    expect(pieces[1]?.buffer).toBe(LARGE.buffer);
  });

  test('gives no more to a connection that is gone', () => {
    const connection = new pg.Connection({ stream: { writable: false } } as unknown as pg.ConnectionConfig);
    sendBuffersUncopied(connection);
    expect(() => connection.bind({ statement: 'freshet_1', values: [LARGE] }, false)).not.toThrow();
  });
});

test('a statement without one is left to the driver', () => {
  const values = ['{1,2}', SMALL, null];
  const pieces = bind(values, true);
  expect(pieces).toHaveLength(1);
  expect(join(pieces)).toBe(join(bind(values, false)));
});
