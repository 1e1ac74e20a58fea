import type { Reranker } from '../../ports/reranker.ts';
import type { SearchService, SearchStore } from '../../ports/search.ts';
import type { SpanStart, Tracer } from '../../ports/tracer.ts';

/**
 * Traces a search: what was asked for by its names and numbers, and how far it is to be trusted.
 * Neither the query, nor a filter's values, nor the tenant stand in a span.
 */
export function traceSearch(service: SearchService, tracer: Tracer): SearchService {
  return {
    ...service,
    search: (request, caller, signal) => {
      const { mode, limit, rerank, filter, cursor } = request;
      const attributes = {
        ...{ 'freshet.search.mode': mode, 'freshet.search.limit': limit },
        'freshet.search.filtered': filter !== undefined,
        'freshet.search.continued': cursor !== undefined,
      };
      return tracer.span({ name: 'search', kind: 'internal', attributes }, async span => {
        const found = await service.search(request, caller, signal);
        // A name that a client wrote is told only once it is one of the configuration.
        span.note({
          'freshet.source': found.source,
          'freshet.search.reranker': rerank?.model,
          'freshet.search.hits': found.hits.length,
          'freshet.search.exact': found.exact,
          'freshet.search.degraded': found.degraded.join() || undefined,
          'freshet.model': found.model.alias,
          'freshet.space.id': found.model.space,
        });
        return found;
      });
    },
  };
}

/** Traces what a search asks of the database; its statements stand in no span. */
export function traceStore(store: SearchStore, tracer: Tracer): SearchStore {
  const start = (name: string, source: string): SpanStart => ({
    name: `${name} ${source}`,
    kind: 'client',
    attributes: { 'db.system.name': 'postgresql', 'freshet.source': source },
  });
  const nameOf = ({
    source,
  }: {
    readonly source: { readonly space: { readonly source: { readonly name: string } } };
  }) => source.space.source.name;
  return {
    ...store,
    findNearest: request =>
      tracer.span(start('find nearest', nameOf(request)), async span => {
        const found = await store.findNearest(request);
        span.note({ 'freshet.rows': found?.rows.length ?? 0, 'freshet.search.exact': found?.isExact });
        return found;
      }),
    findByWords: request =>
      tracer.span(start('find words', nameOf(request)), async span => {
        const found = await store.findByWords(request);
        span.note({ 'freshet.rows': found?.rows.length ?? 0 });
        return found;
      }),
    readTexts: (scope, ids, maxCharacters) =>
      tracer.span(start('read texts', nameOf(scope)), async span => {
        const texts = await store.readTexts(scope, ids, maxCharacters);
        span.note({ 'freshet.rows': texts.size });
        return texts;
      }),
  };
}

/** Traces the calls of rerankers, by their names of the configuration. */
export function traceRerankers(
  rerankers: ReadonlyMap<string, Reranker>,
  tracer: Tracer,
): ReadonlyMap<string, Reranker> {
  return new Map(
    [...rerankers].map(([name, reranker]) => [
      name,
      {
        ...reranker,
        score: (query: string, texts: readonly string[], signal: AbortSignal) =>
          tracer.span(
            { name: `rerank ${name}`, kind: 'client', attributes: { 'freshet.texts': texts.length } },
            () => reranker.score(query, texts, signal),
          ),
      },
    ]),
  );
}
