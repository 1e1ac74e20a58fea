import type { LookupAddress } from 'node:dns';
import { describe, expect, it } from 'vitest';
import { createGuardedLookup, type ResolveName } from '../../../lib/adapters/network/addresses.ts';

const resolveTo =
  (...addresses: string[]): ResolveName =>
  (_, __, callback) =>
    callback(
      null,
      addresses.map(address => ({ address, family: address.includes(':') ? 6 : 4 })),
    );

function lookUp(
  hostname: string,
  resolve: ResolveName,
  all = true,
  protocol: 'http:' | 'https:' = 'https:',
): Promise<unknown> {
  return new Promise((done, fail) => {
    createGuardedLookup(resolve, protocol)(hostname, { all }, (error, address, family) =>
      error
        ? fail(error)
        : done(all ? (address as LookupAddress[]).map(found => found.address) : [address, family]),
    );
  });
}

describe('a name', () => {
  it.each([
    ['api.example.com', '203.0.113.7'],
    ['embeddings.internal', '10.1.2.3'],
    ['embeddings.internal', '192.168.1.9'],
    ['embeddings.internal', 'fd12:3456::1'],
    ['localhost', '127.0.0.1'],
    ['tei.localhost', '::1'],
  ])('%s may lead to %s', async (hostname, address) => {
    expect(await lookUp(hostname, resolveTo(address))).toEqual([address]);
  });

  it.each([
    ['api.example.com', ['169.254.169.254']],
    ['api.example.com', ['203.0.113.7', '169.254.170.2']],
    ['api.example.com', ['::ffff:169.254.169.254']],
    ['api.example.com', ['64:ff9b::a9fe:a9fe']],
    ['api.example.com', ['fe80::1']],
    ['api.example.com', ['fd00:ec2::254']],
    ['api.example.com', ['fd00:ec2::23']],
    ['api.example.com', ['100.100.100.200']],
    ['api.example.com', ['168.63.129.16']],
    ['api.example.com', ['0.0.0.0']],
    ['api.example.com', ['::']],
    ['api.example.com', []],
    ['localhost', ['169.254.169.254']],
    ['localhost', ['10.1.2.3']],
    ['tei.localhost', ['127.0.0.1', '203.0.113.7']],
    ['LOCALHOST.', ['203.0.113.7']],
  ])('%s that leads to %s is refused', async (hostname, addresses) => {
    await expect(lookUp(hostname, resolveTo(...addresses))).rejects.toMatchObject({
      code: 'ERR_FORBIDDEN_ADDRESS',
    });
  });

  it('gives one address to who asks for one', async () => {
    expect(await lookUp('api.example.com', resolveTo('203.0.113.7', '203.0.113.8'), false)).toEqual([
      '203.0.113.7',
      4,
    ]);
  });

  it('that does not exist stays what the resolver says', async () => {
    const failing: ResolveName = (_, __, callback) =>
      callback(Object.assign(new Error('x'), { code: 'ENOTFOUND' }), []);

    await expect(lookUp('nowhere.example.com', failing)).rejects.toMatchObject({ code: 'ENOTFOUND' });
  });
});

describe('a name that is asked over http', () => {
  it.each([
    ['ollama', ['192.168.1.20']],
    ['ollama', ['10.1.2.3', '172.16.0.1', 'fd12:3456::1']],
    ['ollama', ['127.0.0.1']],
    ['localhost', ['127.0.0.1', '::1', '::ffff:127.0.0.1']],
  ])('%s may lead to %s', async (hostname, addresses) => {
    expect(await lookUp(hostname, resolveTo(...addresses), true, 'http:')).toEqual(addresses);
  });

  it.each([
    ['ollama', ['203.0.113.7']],
    ['ollama', ['192.168.1.20', '203.0.113.7']],
    ['ollama', ['2001:db8::1']],
    ['ollama', ['169.254.169.254']],
    ['ollama', ['fd00:ec2::254']],
    ['ollama', ['fe80::1']],
    ['ollama', ['::ffff:8.8.8.8']],
    ['localhost', ['192.168.1.20']],
  ])('%s that leads to %s is refused', async (hostname, addresses) => {
    await expect(lookUp(hostname, resolveTo(...addresses), true, 'http:')).rejects.toMatchObject({
      code: 'ERR_FORBIDDEN_ADDRESS',
    });
  });
});
