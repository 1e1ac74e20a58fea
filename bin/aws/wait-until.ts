import { FreshetError } from '../../lib/core/errors.ts';
import type { AwsWorld } from './aws-world.ts';

const LOOK_EVERY_MS = 5000;

/** Looks every five seconds and says when what it sees changed. Rejects with what was seen last when the time is over. */
export async function waitUntil(
  world: AwsWorld,
  what: string,
  timeoutMs: number,
  look: () => Promise<{ readonly done: boolean; readonly seen: string }>,
): Promise<void> {
  const until = world.now() + timeoutMs;
  let said = '';
  for (;;) {
    const { done, seen } = await look();
    if (seen !== said) world.say(`    ${what}: ${seen}`);
    said = seen;
    if (done) return;
    if (world.now() >= until)
      throw new FreshetError(`${what}: not within ${timeoutMs / 60_000} minutes; seen last: ${seen}.`, {
        failureClass: 'unknown',
        code: 'smoke_timeout',
      });
    await world.sleep(LOOK_EVERY_MS);
  }
}
