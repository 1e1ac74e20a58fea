import type { Context } from 'aws-lambda';
import type { Wired } from '../../lib/wiring/wire-lambda.ts';

type Invoke<Event, Result> = (event: Event, context: Context) => Promise<Result>;

/**
 * A handler that opens nothing before its first event.
 * A wiring that failed is not remembered: the next event tries again. Connections that no longer
 * answer, because the function was frozen for a while, are closed and opened anew. A failed wiring
 * rejects, so that Lambda counts an error and every record of the event comes again.
 */
export function lazilyWired<Ports, Event, Result>(
  wire: () => Promise<Wired<Ports>>,
  createHandler: (ports: Ports) => Invoke<Event, Result>,
): Invoke<Event, Result> {
  let current: { readonly wired: Wired<Ports>; readonly invoke: Invoke<Event, Result> } | undefined;
  return async (event, context) => {
    if (current !== undefined && !(await current.wired.isAlive())) {
      const { wired } = current;
      current = undefined;
      wired.close().catch(() => {});
    }
    if (current === undefined) {
      const wired = await wire();
      current = { wired, invoke: createHandler(wired.ports) };
    }
    return current.invoke(event, context);
  };
}
