import pg from 'pg';

/** The query of a client, which takes what `pg` takes. */
type Query = (this: pg.Client, ...given: unknown[]) => unknown;

/**
 * Takes the time of every statement of this process, from its call to its answer.
 * @returns what ends it and gives the times in milliseconds, by how each statement begins
 */
export function timeStatements(beginning: number): () => ReadonlyMap<string, readonly number[]> {
  const times = new Map<string, number[]>();
  const holder = pg.Client.prototype as unknown as { query: Query };
  const { query } = holder;
  holder.query = function timed(...given) {
    const [first] = given as [string | { readonly text?: string }];
    const text = typeof first === 'string' ? first : (first?.text ?? '');
    const name = text.replace(/\s+/g, ' ').trim().slice(0, beginning);
    const startedAt = performance.now();
    const answer = query.apply(this, given);
    const note = () => {
      times.set(name, [...(times.get(name) ?? []), performance.now() - startedAt]);
    };
    if (answer instanceof Promise) answer.then(note, () => {});
    return answer;
  };
  return () => {
    holder.query = query;
    return times;
  };
}
