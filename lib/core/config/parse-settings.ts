import type * as z from 'zod';
import { FreshetError } from '../errors/freshet-error.ts';
import { parseJson } from '../messages/parse-json.ts';

/**
 * Parses the JSON object that the stack gave a function in an environment variable.
 * @throws FreshetError `bad_deployment_settings`; names the keys at fault, never their values
 */
export function parseSettings<Schema extends z.ZodType>(
  schema: Schema,
  variable: string,
  json: string | undefined,
): z.output<Schema> {
  const parsed = schema.safeParse(parseJson(json ?? ''));
  if (parsed.success) return parsed.data;
  const paths = parsed.error.issues.map(issue => issue.path.join('.') || variable);
  throw new FreshetError(
    `${variable} is not what this version expects (at ${[...new Set(paths)].join(', ')}): deploy the stack again.`,
    { failureClass: 'stop', code: 'bad_deployment_settings' },
  );
}
