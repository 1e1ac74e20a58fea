import type { Clock } from '../ports/process.ts';
import type { Tracer } from '../ports/tracer.ts';

/** Where every 1.x of OpenTelemetry's API keeps what an SDK registered. */
const REGISTERED = Symbol.for('opentelemetry.js.api.1');

/**
 * Opens the tracer where an SDK of OpenTelemetry is registered in this process.
 * Undefined: there is none, and neither the API nor the adapter is even loaded. An SDK is
 * registered before Freshet begins, by `node --import` or by a layer of Lambda.
 */
export async function openTracer(clock: Clock): Promise<Tracer | undefined> {
  if (!(REGISTERED in globalThis)) return undefined;
  const [{ createTracer }, api] = await Promise.all([
    import('./open-telemetry.ts'),
    import('@opentelemetry/api'),
  ]);
  return createTracer(api, clock);
}
