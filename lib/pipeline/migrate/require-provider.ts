import { FreshetError } from '../../core/errors/freshet-error.ts';
import type { ModelDefinition } from '../../core/model/space.ts';
import { PROVIDERS } from '../../core/providers.ts';
import { requireVectors } from '../../core/reply/require-vectors.ts';
import type { EmbeddingProvider } from '../../ports/embedding-provider.ts';
import type { Logger } from '../../ports/logger.ts';
import { describeFailure } from '../describe-failure.ts';
import { PROBE_TEXT } from '../probe-text.ts';

const MAX_PROBE_MS = 20_000;
/** Milliseconds kept for the database after the probes. */
const RESERVE_MS = 30_000;
const UNREACHABLE = /^(network_|timeout$|aws_timeout$)/;

/**
 * Calls a model's provider once, to see that a deployment can use it.
 * The call shows that the function's subnets have a way to the provider, and that the provider
 * accepts key, model and dimensions. A provider that is overloaded or out of order for now has
 * answered: its failure is no reason to refuse the deployment.
 * @throws FreshetError where the model cannot be reached or cannot be used.
 */
export async function requireProvider(
  { logger }: { readonly logger: Logger },
  model: ModelDefinition,
  provider: EmbeddingProvider,
  remainingMs: () => number,
): Promise<void> {
  if (PROVIDERS[model.provider].isInProcess) return;
  const deadlineMs = Math.max(1_000, Math.min(MAX_PROBE_MS, remainingMs() - RESERVE_MS));
  try {
    const reply = await provider.embed({ texts: [model.documentPrefix + PROBE_TEXT], deadlineMs });
    requireVectors(reply, model, 1);
  } catch (error) {
    const { code, message, failureClass } = describeFailure(error);
    if (UNREACHABLE.test(code)) throw unreachable(model, code);
    if (failureClass !== 'throttled' && failureClass !== 'transient')
      throw new FreshetError(`Model ${model.alias} cannot be used: ${message}`, {
        failureClass: 'stop',
        code,
      });
    logger.warn('provider-answers-with-a-failure', { model: model.alias, failureClass, code });
  }
}

function unreachable({ alias, baseUrl }: ModelDefinition, code: string): FreshetError {
  const host = URL.parse(baseUrl ?? '')?.host ?? 'its provider';
  return new FreshetError(
    `Model ${alias} cannot be reached from the function's subnets (${host}, ${code}): give them a way out, as a NAT gateway or IPv6 with an egress-only gateway, or a private endpoint, and let the security group pass it.`,
    { failureClass: 'stop', code },
  );
}
