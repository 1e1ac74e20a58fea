import type { Invocation } from './invocation.ts';
import type { World } from './world.ts';

/** What this provider answers, or does not, that blames no text and that one text may cause. */
const DOUBTFUL_CODES: readonly string[] = ['timeout', 'network_econnreset', 'http_500', 'http_503'];

/** Whether an outcome is of a text that failed alone, and that no answer refused by name. */
const isOfDoubt = (outcome: string) => DOUBTFUL_CODES.includes(outcome.replace(/^refused:/, ''));

/** How far a text came of those that a message asked for: it failed, and then something was embedded. */
export type Doubt = 'failed' | 'told apart';

const keyOf = ({ recordSequence }: Invocation, spaceId: number, text: string) =>
  `${recordSequence}/${spaceId}/${text}`;

/** A call fails in a way that one of its texts may have caused. */
export function noteDoubt(
  world: World,
  invocation: Invocation,
  spaceId: number,
  texts: readonly string[],
  code: string,
): void {
  if (!DOUBTFUL_CODES.includes(code)) return;
  for (const text of texts) {
    const key = keyOf(invocation, spaceId, text);
    const doubt = invocation.doubts.get(key);
    if (doubt === undefined) invocation.doubts.set(key, 'failed');
    else if (doubt === 'told apart' && texts.length === 1)
      world.services.doubtedTwice.add(`${spaceId}/${text}`);
  }
}

/** A call is answered: what failed before it did not fail with everything. */
export function noteAnswered({ doubts }: Invocation): void {
  for (const key of doubts.keys()) doubts.set(key, 'told apart');
}

/**
 * Whether chance made a text look like one at which the provider breaks.
 *
 * Time-outs of the simulation befall any call. Where one befalls a text, a harmless text or another
 * is embedded, and one befalls it again, alone and within the same message, then nobody can tell it
 * from a text that never gets an answer.
 */
export function isDoubtedTwice(world: World, spaceId: number, outcome: string, text: string): boolean {
  return isOfDoubt(outcome) && world.services.doubtedTwice.has(`${spaceId}/${text}`);
}
