/** A port whose methods answer at once: what decides when they take effect, and whether, is whoever wraps them. */
export type Synchronous<Port> = {
  readonly [Method in keyof Port]: Port[Method] extends (...args: infer Args) => Promise<infer Value>
    ? (...args: Args) => Value
    : never;
};

/** The port again, each method settled before anybody else runs. */
export function promising<Port extends object>(methods: Synchronous<Port>): Port {
  const entries = Object.entries(methods as Record<string, (...args: unknown[]) => unknown>);
  return Object.fromEntries(
    entries.map(([name, method]) => [name, async (...args: unknown[]) => method(...args)]),
  ) as Port;
}
