import { checkBaseUrl } from '../adapters/network/post-json.ts';

/**
 * Checks an address given at the keyboard as strictly as a model's: a token goes there.
 *
 * @throws UsageError
 */
export function checkServiceUrl(url: string): string {
  return checkBaseUrl(url);
}
