import { checkBaseUrl } from '../adapters/network/post-json.ts';

/** What holds for a model's address holds for one given at the keyboard: a token goes there. Throws `UsageError`. */
export function checkServiceUrl(url: string): string {
  return checkBaseUrl(url);
}
