import { FreshetError } from '../../core/errors/freshet-error.ts';
import type { KeySource } from '../../ports/embedding-provider.ts';

/**
 * Calls with the key, an empty one where there is no source. A refused key is read once more past every cache, since it may have been
 * rotated meanwhile, and the call is made again if that gave another one. The second refusal is the answer.
 */
export async function callWithKey<Answer>(
  source: KeySource | undefined,
  call: (key: string) => Promise<Answer>,
): Promise<Answer> {
  if (source === undefined) return call('');
  const key = await readKey(source, { fresh: false });
  try {
    return await call(key);
  } catch (error) {
    if (!(error instanceof FreshetError && error.code === 'unauthorized')) throw error;
    const rotated = await readKey(source, { fresh: true });
    if (rotated === key) throw error;
    return call(rotated);
  }
}

async function readKey(source: KeySource, options: { readonly fresh: boolean }): Promise<string> {
  let key: string;
  try {
    key = await source(options);
  } catch (error) {
    if (error instanceof FreshetError) throw error;
    throw new FreshetError("The model's key could not be read.", {
      failureClass: 'unknown',
      code: 'key_unreadable',
    });
  }
  if (/^[\x21-\x7e]*$/.test(key)) return key;
  throw new FreshetError(
    "The model's key holds a space, a line break or another character that no header can carry: store it without.",
    { failureClass: 'stop', code: 'malformed_key' },
  );
}
