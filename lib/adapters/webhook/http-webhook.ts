import { FreshetError } from '../../core/errors/freshet-error.ts';
import type { SecretStore } from '../../ports/secret-store.ts';
import type { Webhook } from '../../ports/webhook.ts';
import type { Network } from '../network/open-network.ts';
import { composePost } from './compose-post.ts';
import { readWebhookUrl } from './webhook-url.ts';

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
