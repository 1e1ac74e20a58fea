import { type LookupAddress, type LookupOptions, lookup } from 'node:dns';
import { BlockList, isIP } from 'node:net';
import { UsageError } from '../../core/errors.ts';
import { isLoopbackHost, type ModelPlace } from '../../core/providers.ts';

/**
 * Checks the address of a provider and gives it back without a slash at its end.
 * The address holds no key, and therefore no query. See `parseOutboundUrl` for the rest.
 * @throws UsageError
 */
export function checkBaseUrl(baseUrl: string, place: PlainHttp = {}): string {
  return checkAddress(parseOutboundUrl(baseUrl, refuse, place));
}

/** Whether an address may be plain http on a private network. */
type PlainHttp = Pick<ModelPlace, 'allowHttp'>;

/** An address of Azure OpenAI, or of another endpoint that speaks OpenAI's API. */
export interface VersionedAddress {
  /** Without a slash at its end. */
  readonly baseUrl: string;
  /** The value of the query's `api-version`. Undefined: the address has no query. */
  readonly apiVersion: string | undefined;
}

/**
 * Checks an address as `checkBaseUrl` does, but takes a query of `api-version` alone.
 * Azure names the deployment in the path and the version in the query. Its portal shows the address
 * with `/embeddings` at the end of the path, which each call adds.
 * @throws UsageError
 */
export function checkVersionedUrl(address: string, place: PlainHttp = {}): VersionedAddress {
  const url = parseOutboundUrl(address, refuse, place);
  const apiVersion = /^\?api-version=([\w.-]{1,40})$/.exec(url.search)?.[1];
  if (apiVersion !== undefined) {
    url.search = '';
    url.pathname = url.pathname.replace(/\/embeddings\/*$/, '');
  }
  return { baseUrl: checkAddress(url), apiVersion };
}

function checkAddress(url: URL): string {
  if (url.search !== '' || url.hash !== '') throw refuse('holds a query or fragment');
  return url.href.replace(/\/+$/, '');
}

function refuse(what: string): UsageError {
  return new UnusableAddress(
    `The model's base URL ${what}. Give an https address, as https://api.openai.com/v1, ` +
      'or http on localhost. With allowHttp: true the model may be served by http on a private network, ' +
      'where its texts travel readable.',
  );
}

/** The address of a model is at fault; whoever knows where it stands says it. */
export class UnusableAddress extends UsageError {}

/**
 * Parses an address that texts or secrets are sent to: https, or http on this machine.
 * With `allowHttp`, http is also taken for a private address, and for a name, which
 * `createGuardedLookup` holds to private addresses. The address names nobody, and leads to no place
 * that serves credentials. `refuse` makes the error from the predicate of a sentence about the
 * address; the predicate never repeats the address.
 * @throws what `refuse` makes
 */
export function parseOutboundUrl(
  address: string,
  refuse: (what: string) => Error,
  { allowHttp }: PlainHttp = {},
): URL {
  const url = URL.parse(address);
  if (url === null) throw refuse('is not a URL');
  if (url.username !== '' || url.password !== '') throw refuse('holds a user name or password');
  const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  const isAddress = isIP(host) !== 0;
  if (host === 'metadata.google.internal' || (isAddress && isForbiddenAddress(host)))
    throw refuse('names a link-local or metadata address');
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackHost(host))) return url;
  if (url.protocol === 'http:' && allowHttp) {
    if (isAddress && !isPrivateAddress(host)) throw refuse('is http at a public address');
    return url;
  }
  throw refuse('is neither https nor http on this machine');
}

export type ResolveName = (
  hostname: string,
  options: LookupOptions & { all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

type LookupCallback = (
  error: NodeJS.ErrnoException | null,
  address: string | LookupAddress[],
  family?: number,
) => void;

/**
 * Makes a lookup for `connect.lookup` that refuses names which lead to forbidden addresses.
 * The socket uses the very addresses that were checked, so no second answer of a resolver can
 * differ from them. One forbidden address refuses the name. A name of this machine must lead to
 * this machine. Over http every other name must lead to private addresses alone; over https it may,
 * because internal services live there.
 */
export function createGuardedLookup(
  resolve: ResolveName = lookup,
  protocol: 'http:' | 'https:' = 'https:',
): (hostname: string, options: LookupOptions, callback: LookupCallback) => void {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, []);
      const isRefused = (address: string) => {
        if (isForbiddenAddress(address)) return true;
        if (isLoopbackHost(hostname)) return !isLoopbackHost(address);
        return protocol === 'http:' && !isPrivateAddress(address) && !isLoopbackHost(address);
      };
      const first = addresses[0];
      if (first === undefined || addresses.some(({ address }) => isRefused(address)))
        return callback(forbidden(), []);
      if (options.all) return callback(null, addresses);
      callback(null, first.address, first.family);
    });
  };
}

function forbidden(): NodeJS.ErrnoException {
  return Object.assign(new Error('The name leads to an address that is no provider.'), {
    code: 'ERR_FORBIDDEN_ADDRESS',
  });
}

/** Addresses at which clouds answer with credentials, and link-local networks around them. */
const FORBIDDEN_ADDRESSES = new BlockList();
FORBIDDEN_ADDRESSES.addSubnet('169.254.0.0', 16, 'ipv4');
// Alibaba Cloud, Azure and Oracle Cloud, in that order.
FORBIDDEN_ADDRESSES.addAddress('100.100.100.200', 'ipv4');
FORBIDDEN_ADDRESSES.addAddress('168.63.129.16', 'ipv4');
FORBIDDEN_ADDRESSES.addAddress('192.0.0.192', 'ipv4');
FORBIDDEN_ADDRESSES.addSubnet('0.0.0.0', 8, 'ipv4');
FORBIDDEN_ADDRESSES.addSubnet('fe80::', 10, 'ipv6');
// AWS: instance metadata, time, DNS and pod identity.
FORBIDDEN_ADDRESSES.addSubnet('fd00:ec2::', 32, 'ipv6');
FORBIDDEN_ADDRESSES.addAddress('::', 'ipv6');
// 169.254.0.0/16 in the notations of NAT64 and 6to4.
FORBIDDEN_ADDRESSES.addSubnet('64:ff9b::a9fe:0', 112, 'ipv6');
FORBIDDEN_ADDRESSES.addSubnet('2002:a9fe::', 32, 'ipv6');

/** Addresses of private networks: RFC 1918 and RFC 4193. */
const PRIVATE_ADDRESSES = new BlockList();
PRIVATE_ADDRESSES.addSubnet('10.0.0.0', 8, 'ipv4');
PRIVATE_ADDRESSES.addSubnet('172.16.0.0', 12, 'ipv4');
PRIVATE_ADDRESSES.addSubnet('192.168.0.0', 16, 'ipv4');
PRIVATE_ADDRESSES.addSubnet('fc00::', 7, 'ipv6');

function isForbiddenAddress(address: string): boolean {
  return FORBIDDEN_ADDRESSES.check(address, familyOf(address));
}

function isPrivateAddress(address: string): boolean {
  return PRIVATE_ADDRESSES.check(address, familyOf(address));
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}
