import type { Synchronous } from '../twin/synchronous.ts';

/** Notes the calls of ports in their order, and fails those that a test picks. */
export interface CallLog {
  /** Names of the called methods; what follows a name tells calls of one method apart. */
  readonly events: string[];
  /** Runs before each call, with its event; what it throws rejects the call, which does nothing. */
  before: (event: string) => void;
  note(event: string): void;
}

export function createCallLog(): CallLog {
  const log: CallLog = {
    events: [],
    before: () => undefined,
    note(event) {
      log.events.push(event);
      log.before(event);
    },
  };
  return log;
}

/** What an event says besides the method's name, from the arguments of the call. */
type Details<Port> = {
  readonly [Method in keyof Port]?: Port[Method] extends (...args: infer Args) => unknown
    ? (...args: Args) => string | number
    : never;
};

/** The port whose methods answer at once and are noted first. */
export function logCalls<Port extends object>(
  log: CallLog,
  methods: Synchronous<Port>,
  details: Details<Port> = {},
): Port {
  const detailsOf = details as Record<string, ((...args: unknown[]) => string | number) | undefined>;
  const entries = Object.entries(methods as Record<string, (...args: unknown[]) => unknown>);
  return Object.fromEntries(
    entries.map(([name, method]) => [
      name,
      async (...args: unknown[]) => {
        const detail = detailsOf[name]?.(...args);
        log.note(detail === undefined ? name : `${name} ${detail}`);
        return method(...args);
      },
    ]),
  ) as Port;
}
