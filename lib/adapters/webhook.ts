import { FreshetError } from '../core/errors.ts';
import type { Webhook } from '../ports/process.ts';
import type { SecretStore } from '../ports/provider.ts';
import { parseOutboundUrl } from './network/addresses.ts';
import type { Network } from './network/open-network.ts';
import { isProxyFailure } from './network/proxies.ts';

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
      .catch((error: unknown) => {
        if (isProxyFailure(error)) throw error;
        throw new FreshetError('The webhook could not be reached.', {
          failureClass: 'transient',
          code: 'webhook_unreachable',
        });
      });
    return answer.status;
  };
  const readFreshUrl = async () => parseWebhookUrl(await secrets.read(secretArn, { fresh: true }));
  const readUrl = async () => {
    const secret = await secrets.read(secretArn);
    try {
      return parseWebhookUrl(secret);
    } catch {
      return readFreshUrl();
    }
  };
  return {
    async post(text) {
      let status = await postTo(await readUrl(), text);
      if (isAddressRefused(status)) status = await postTo(await readFreshUrl(), text);
      if (status >= 200 && status <= 299) return;
      throw new FreshetError(`The webhook answered ${status}.`, {
        failureClass: isAddressRefused(status) ? 'stop' : 'transient',
        code: `http_${status}`,
      });
    },
  };
}

function isAddressRefused(status: number): boolean {
  return status === 401 || status === 403 || status === 404 || status === 410;
}

/**
 * Parses the secret's string as the address of a webhook.
 * @throws FreshetError `bad_webhook_address`, of class `stop`; its message never contains the
 *   secret
 */
function parseWebhookUrl(secret: string): URL {
  return parseOutboundUrl(
    secret.trim(),
    what =>
      new FreshetError(
        `The secret of alarms.webhook ${what}: ` +
          'store the address as Slack or Discord gives it, https and nothing else.',
        { failureClass: 'stop', code: 'bad_webhook_address' },
      ),
  );
}

/** Discord's limit for a message. Slack takes more, but nobody reads that much. */
const MAX_CHARACTERS = 2_000;

/**
 * Composes the body of a post for Slack or Discord, chosen by the host.
 * Names in the text mention nobody, and Slack's markup of links in them is escaped.
 */
function composePost(host: string, text: string): object {
  const short = text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS - 1)}…` : text;
  if (/(^|\.)discord(app)?\.com$/.test(host)) return { content: short, allowed_mentions: { parse: [] } };
  return { text: short.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;') };
}
