/**
 * A port whose methods answer at once.
 *
 * Whoever wraps the port decides when a method takes effect, and whether it does.
 */
export type Synchronous<Port> = {
  readonly [Method in keyof Port]: NonNullable<Port[Method]> extends (
    ...args: infer Args
  ) => Promise<infer Value>
    ? (...args: Args) => Value
    : never;
};
