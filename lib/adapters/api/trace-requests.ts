import type { MiddlewareHandler } from 'hono';
import { ServiceRefusal } from '../../core/service-refusal.ts';
import type { Tracer } from '../../ports/tracer.ts';
import type { createRouteFinder } from './find-route.ts';

/**
 * Makes each request of a client one span, in the trace that its `traceparent` names.
 * The span has the address as it is listed, never as it was sent: ids and texts may stand there.
 */
export function traceRequests(
  tracer: Tracer,
  findRoute: ReturnType<typeof createRouteFinder>,
): MiddlewareHandler {
  return (context, next) => {
    const { req } = context;
    const found = findRoute(req.path, req.method);
    const isKnown = found?.methods.some(each => each === req.method) ?? false;
    const method = isKnown ? req.method : '_OTHER';
    const route = found?.route ?? 'other';
    const start = {
      name: `${method} ${route}`,
      kind: 'server',
      parent: req.header('traceparent'),
      attributes: { 'http.request.method': method, 'http.route': found?.route },
    } as const;
    return tracer.span(start, async span => {
      await next();
      const { status } = context.res;
      span.note({ 'http.response.status_code': status });
      // What the client did wrong is no failure of the service.
      if (status < 500) return;
      span.fail(context.error instanceof ServiceRefusal ? context.error.code : String(status));
    });
  };
}
