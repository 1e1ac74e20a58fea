import { FreshetError } from '../../core/errors/freshet-error.ts';

/** What was asked cannot be answered; the sentence reaches the operator's terminal as it is. */
export function badRequest(message: string): FreshetError {
  return new FreshetError(message, { failureClass: 'unknown', code: 'bad_request' });
}
