import { isIP } from 'node:net';
import { FreshetError } from '../core/errors.ts';
import type { Webhook } from '../ports/process.ts';
import type { SecretStore } from '../ports/provider.ts';
import {
  isForbiddenAddress,
  isLoopbackAddress,
  isLoopbackName,
  type Network,
} from './network/open-network.ts';

/** Discord's limit for a message. Slack takes more, but nobody reads that much. */
const MAX_CHARACTERS = 2_000;

/**
 * Composes the body of a post for Slack or Discord, chosen by the host.
 * Names in the text mention nobody, and Slack's markup of links in them is escaped.
 */
export function composePost(host: string, text: string): object {
  const short = text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS - 1)}…` : text;
  if (/(^|\.)discord(app)?\.com$/.test(host)) return { content: short, allowed_mentions: { parse: [] } };
  return { text: short.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;') };
}

/**
 * Parses the secret's string as an address: https, or http on this machine.
 * @throws FreshetError `bad_webhook_address`, of class `stop`; its message never contains the
 *   secret
 */
function readWebhookUrl(secret: string): URL {
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

const POST_MS = 10_000;
const MAX_ANSWER_BYTES = 64 * 1024;

/**
 * Creates a webhook of Slack or Discord whose address is a secret.
 * An address that was refused or is malformed is read anew once, because somebody may have changed
 * the secret.
 */
export function createHttpWebhook(options: {
  readonly secrets: SecretStore;
  readonly secretArn: string;
  readonly network: Network;
}): Webhook {
  const { secrets, secretArn, network } = options;
  const postTo = async (url: URL, text: string): Promise<number> => {
    const answer = await network
      .post({
        url: url.href,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(composePost(url.hostname, text)),
        signal: AbortSignal.timeout(POST_MS),
        maxAnswerBytes: MAX_ANSWER_BYTES,
      })
      .catch(() => {
        throw new FreshetError('The webhook could not be reached.', {
          failureClass: 'transient',
          code: 'webhook_unreachable',
        });
      });
    return answer.status;
  };
  const readAnew = async () => readWebhookUrl(await secrets.read(secretArn, { fresh: true }));
  const readKnown = async () => {
    const secret = await secrets.read(secretArn);
    try {
      return readWebhookUrl(secret);
    } catch {
      return readAnew();
    }
  };
  return {
    async post(text) {
      let status = await postTo(await readKnown(), text);
      if (isGone(status)) status = await postTo(await readAnew(), text);
      if (status >= 200 && status <= 299) return;
      throw new FreshetError(`The webhook answered ${status}.`, {
        failureClass: isGone(status) ? 'stop' : 'transient',
        code: `http_${status}`,
      });
    },
  };
}

function isGone(status: number): boolean {
  return status === 401 || status === 403 || status === 404 || status === 410;
}
