import { isIP } from 'node:net';
import { UsageError } from '../../core/errors/usage-error.ts';
import { isForbiddenAddress, isLoopbackAddress, isLoopbackName } from './addresses.ts';

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
  if (host === 'metadata.google.internal' || (isIP(host) !== 0 && isForbiddenAddress(host))) {
    throw refuse('names a link-local or metadata address');
  }
  const isLoopback = isIP(host) !== 0 ? isLoopbackAddress(host) : isLoopbackName(host);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback)) {
    throw refuse('is neither https nor http on this machine');
  }
  return url.href.replace(/\/+$/, '');
}

function refuse(what: string): UsageError {
  return new UsageError(
    `The model's base URL ${what}. Give an https address, as https://api.openai.com/v1, or http on localhost (baseUrl of the model, or OPENAI_BASE_URL).`,
  );
}
