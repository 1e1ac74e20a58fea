import { afterAll, expect, vi } from 'vitest';

/** What a process listens to for all that runs in it. */
const EVENTS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'uncaughtException', 'unhandledRejection', 'warning'];
const variables = new Map(Object.entries(process.env));
const globals = readGlobals();
const handlers = countHandlers();

/**
 * Fails a test file that leaves the process other than it found it: the files of a worker share
 * their modules and their process, and the next one would run in what is left.
 */
afterAll(() => {
  const found = {
    variables: findChanged(variables, new Map(Object.entries(process.env))),
    // Libraries note names of their own here. None of those that stood here becomes another one.
    globals: findChanged(globals, readGlobals()).filter(name => globals.has(name)),
    telemetry: findTelemetry(),
    handlers: countHandlers(),
    hasFakeTimers: vi.isFakeTimers(),
  };
  const alone = { variables: [], globals: [], telemetry: [], handlers, hasFakeTimers: false };
  expect(found, 'what this file leaves in the process for those after it').toEqual(alone);
});

/** What the names of the global object stand for, and those of its console. */
function readGlobals(): ReadonlyMap<string, unknown> {
  const read = (holder: object, prefix: string) =>
    Object.entries(Object.getOwnPropertyDescriptors(holder)).map(
      ([name, { value, get }]) => [`${prefix}${name}`, get ?? value] as const,
    );
  return new Map([...read(globalThis, ''), ...read(console, 'console.')]);
}

/** Finds what somebody registered with OpenTelemetry for the whole process. */
function findTelemetry(): readonly string[] {
  const registered: object = Reflect.get(globalThis, Symbol.for('opentelemetry.js.api.1')) ?? {};
  return Object.keys(registered).filter(name => name !== 'version');
}

function findChanged(before: ReadonlyMap<string, unknown>, after: ReadonlyMap<string, unknown>) {
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names].filter(name => !Object.is(before.get(name), after.get(name)));
}

function countHandlers(): Readonly<Record<string, number>> {
  return Object.fromEntries(EVENTS.map(name => [name, process.listenerCount(name)]));
}
