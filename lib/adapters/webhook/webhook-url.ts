import { isIP } from 'node:net';
import { FreshetError } from '../../core/errors/freshet-error.ts';
import { isForbiddenAddress, isLoopbackAddress, isLoopbackName } from '../network/addresses.ts';

/**
 * Parses the secret's string as an address: https, or http on this machine.
 * @throws FreshetError `bad_webhook_address`, of class `stop`; its message never contains the
 *   secret
 */
export function readWebhookUrl(secret: string): URL {
  const url = URL.parse(secret.trim());
  if (url === null) throw refuse('is no address');
  if (url.username !== '' || url.password !== '') throw refuse('holds a user name or password');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const isAddress = isIP(host) !== 0;
  if (isAddress && isForbiddenAddress(host)) throw refuse('names a link-local or metadata address');
  const isLoopback = isAddress ? isLoopbackAddress(host) : isLoopbackName(host);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback)) throw refuse('is not https');
  return url;
}

function refuse(what: string): FreshetError {
  return new FreshetError(
    `The secret of alarms.webhook ${what}: store the address as Slack or Discord gives it, https and nothing else.`,
    { failureClass: 'stop', code: 'bad_webhook_address' },
  );
}
