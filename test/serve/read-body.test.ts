import { describe, expect, test } from 'vitest';
import type * as z from 'zod';
import { itemRequest, itemsRequest } from '../../lib/adapters/api/item-schemas.ts';
import { readBody } from '../../lib/adapters/api/read-body.ts';
import {
  embeddingsRequest,
  embedRequest,
  nudgeRequest,
  searchJobRequest,
  searchRequest,
} from '../../lib/adapters/api/schemas.ts';
import { ServiceRefusal } from '../../lib/core/service-refusal.ts';

function refusalOf(schema: z.ZodObject, body: unknown): string {
  try {
    readBody(schema, body);
  } catch (error) {
    if (error instanceof ServiceRefusal) return error.message;
    throw error;
  }
  return '';
}

const item = { asset_id: 'a', segment_id: '1', text: 'x' };

test.each<[z.ZodObject, unknown, string]>([
  [itemsRequest, { items: [] }, 'items: expected 1 to 100 entries'],
  [itemsRequest, { items: [item, { ...item, asset_id: 7 }] }, 'items[1].asset_id: expected a text'],
  [
    itemsRequest,
    { items: [item, { ...item, segmnt_id: '1' }] },
    'items[1].segmnt_id: is not a known field; did you mean segment_id? (known: asset_id, segment_id, text, ' +
      'metadata)',
  ],
  [
    itemRequest,
    { ...item, metadata: { ['k'.repeat(201)]: 1 } },
    `metadata.${'k'.repeat(80)}: expected keys of at most 200 characters`,
  ],
  [nudgeRequest, { ids: Array(1001).fill('a') }, 'ids: expected at most 1000 entries'],
  [embedRequest, { model: 'm', texts: 'a' }, 'texts: expected an array of texts'],
  [embedRequest, { model: 'm', texts: ['a'], normalize: 1 }, 'normalize: expected true or false'],
  [
    embedRequest,
    { model: 'm', texts: ['a'], vector_text_hash: ['x'] },
    'vector_text_hash[0]: expected 64 hexadecimal digits in lower case',
  ],
  [
    embeddingsRequest,
    { model: 'm', input: 'a', dimensions: 0 },
    'dimensions: expected a whole number of at least 1',
  ],
  [embeddingsRequest, null, 'body: expected an object'],
])('a wrong body is told in the words of the house: %#', (schema, body, message) => {
  expect(refusalOf(schema, body)).toBe(message);
});

/** Values of every kind, each wrong for most fields. */
const VALUES = [
  null,
  true,
  -1,
  1.5,
  1e9,
  '',
  'canary',
  'c'.repeat(1_000_001),
  [],
  [[]],
  [null],
  {},
  { canary: 1 },
];

describe('no value in any field is told in the words of a library, or repeated', () => {
  const schemas = {
    embedRequest,
    embeddingsRequest,
    searchRequest,
    searchJobRequest,
    nudgeRequest,
    itemRequest,
    itemsRequest,
  };
  test.each(Object.entries<z.ZodObject>(schemas))('%s', (_, schema) => {
    const messages = Object.keys(schema.shape).flatMap(field =>
      VALUES.map(value => refusalOf(schema.partial(), { [field]: value })),
    );

    const told = messages.filter(message => message !== '');
    expect(told.length).toBeGreaterThan(5);
    for (const message of told) {
      expect(message).toMatch(/^[\w.[\]]+: (expected |is not a known field)/);
      expect(message).not.toMatch(/Invalid|Too |received|something else|NaN|null|undefined|cccc/);
    }
  });
});
