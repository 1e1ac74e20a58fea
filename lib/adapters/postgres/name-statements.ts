import { createHash } from 'node:crypto';
import type pg from 'pg';
import { isPrepared } from '../sql/prepared.ts';

const names = new Map<string, string>();

/**
 * Names the statements of a client that are marked as prepared.
 * By the name, `pg` has the server keep their plan for the session.
 */
export function nameStatements(client: pg.PoolClient): void {
  const query = client.query.bind(client) as (...given: unknown[]) => unknown;
  const named = (first: unknown, ...rest: unknown[]) =>
    typeof first === 'string' && isPrepared(first)
      ? query({ name: nameOf(first), text: first, values: rest[0] })
      : query(first, ...rest);
  client.query = named as typeof client.query;
}

function nameOf(text: string): string {
  const known = names.get(text);
  if (known !== undefined) return known;
  const name = `freshet_${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
  names.set(text, name);
  return name;
}
