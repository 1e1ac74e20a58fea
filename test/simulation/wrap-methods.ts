import type { Synchronous } from '../twin/synchronous.ts';
import { commitSomeTransaction } from './application.ts';
import { callPort } from './call-port.ts';
import type { Invocation } from './invocation.ts';
import type { World } from './world.ts';

/** How often a commit of the application falls between just this statement and the one before it. */
const COMMITS_BEFORE_STATEMENT = 0.4;

type Methods = Readonly<Record<string, (...args: unknown[]) => unknown>>;

/** A port of one process. What its methods do stands in a prototype that all processes share. */
class WrappedPort {
  readonly world: World;
  readonly current: () => Invocation;
  readonly methods: Methods;

  constructor(world: World, current: () => Invocation, methods: Methods) {
    this.world = world;
    this.current = current;
    this.methods = methods;
  }
}

/** By the names of their methods. */
const wrappers = new Map<string, typeof WrappedPort>();

/** The port of one process over a store of the world: its methods become port calls. */
export function wrapMethods<Port extends object>(
  world: World,
  current: () => Invocation,
  methods: Synchronous<Port>,
): Port {
  const names = Object.keys(methods);
  const key = names.join();
  let wrapper = wrappers.get(key);
  if (wrapper === undefined) {
    wrapper = defineWrapper(names);
    wrappers.set(key, wrapper);
  }
  return new wrapper(world, current, methods as Methods) as unknown as Port;
}

function defineWrapper(names: readonly string[]): typeof WrappedPort {
  const wrapper = class extends WrappedPort {};
  for (const name of names) {
    Object.defineProperty(wrapper.prototype, name, {
      value(this: WrappedPort, ...args: unknown[]) {
        const { world, current, methods } = this;
        return callPort(world, current(), name, 'database', () => {
          if (world.random.chance(COMMITS_BEFORE_STATEMENT)) commitSomeTransaction(world);
          return methods[name]?.(...args);
        });
      },
    });
  }
  return wrapper;
}
