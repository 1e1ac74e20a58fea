import { BlockList, isIP } from 'node:net';
import { UsageError } from '../../core/errors/usage-error.ts';

/** Where clouds answer with credentials, and link-local networks, from which nothing else is to be had. */
const FORBIDDEN = new BlockList();
FORBIDDEN.addSubnet('169.254.0.0', 16, 'ipv4');
FORBIDDEN.addAddress('100.100.100.200', 'ipv4');
FORBIDDEN.addAddress('0.0.0.0', 'ipv4');
FORBIDDEN.addSubnet('fe80::', 10, 'ipv6');
FORBIDDEN.addAddress('fd00:ec2::254', 'ipv6');
FORBIDDEN.addAddress('::', 'ipv6');

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/**
 * The address, without a slash at its end. Texts and a key go there, so it is https, or http on this machine; no key in the address,
 * and no place that is no provider. Throws `UsageError`.
 */
export function checkBaseUrl(baseUrl: string): string {
  const url = URL.parse(baseUrl);
  if (url === null) throw refuse('is not a URL');
  if (url.username !== '' || url.password !== '') throw refuse('holds a user name or password');
  if (url.search !== '' || url.hash !== '') throw refuse('holds a query or fragment');
  const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  const family = isIP(host) === 6 ? 'ipv6' : 'ipv4';
  if (host === 'metadata.google.internal' || (isIP(host) !== 0 && FORBIDDEN.check(host, family))) {
    throw refuse('names a link-local or metadata address');
  }
  const isLoopback = isIP(host) !== 0 ? LOOPBACK.check(host, family) : /^(.+\.)?localhost$/.test(host);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback)) {
    throw refuse('is neither https nor http on this machine');
  }
  return url.href.replace(/\/+$/, '');
}

function refuse(what: string): UsageError {
  return new UsageError(
    `The model's base URL ${what}. Give an https address, as https://api.openai.com/v1, or http on localhost (OPENAI_BASE_URL, or baseUrl of the model).`,
  );
}
