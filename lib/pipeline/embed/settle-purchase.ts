import type { ComposedResult } from '../../core/model/result-object.ts';
import { announceResult } from './announce-result.ts';
import type { Purchase } from './buy-vectors.ts';
import { composeResult, type Settlement } from './compose-result.ts';
import type { EmbedPorts } from './embed-ports.ts';

/**
 * Stores and announces what is known and what was bought. Returns the settled ids.
 * When nothing is worth announcing, no object is stored, and the calls, which bought nothing for
 * certain, lose their grants.
 */
export async function settlePurchase(
  ports: EmbedPorts,
  settlement: Settlement,
  remainingMs: () => number,
): Promise<string[]> {
  const { space, purchase } = settlement;
  const result = composeResult(settlement);
  let settled: string[] = [];
  if (isWorthAnnouncing(result, purchase)) {
    settled = await announceResult(ports, space, result, remainingMs);
  } else {
    for (const { entry } of purchase.calls) await ports.embedding.revokeGrant(entry.callId);
  }
  measureResult(ports, result);
  return settled;
}

function isWorthAnnouncing(result: ComposedResult, { calls }: Purchase): boolean {
  const entries = result.outcomes.length + result.copies.length + result.touches.length;
  return entries > 0 || calls.some(({ maybeBilled }) => maybeBilled);
}

function measureResult({ metrics }: EmbedPorts, result: ComposedResult): void {
  metrics.count('RefusedTexts', result.verdicts.length);
}
