import type { EventSource, EventSources } from '../../lib/ports/event-sources.ts';

export interface MemoryEventSources extends EventSources {
  readonly sources: Map<string, { state: EventSource['state']; closedByUs: boolean }>;
  /** `close <id>` and `open <id>`, in order. */
  readonly changes: string[];
  /** Ids whose reading rejects. */
  readonly broken: Set<string>;
}

export function createMemoryEventSources(mappingIds: readonly string[]): MemoryEventSources {
  const sources: MemoryEventSources['sources'] = new Map(
    mappingIds.map(id => [id, { state: 'open', closedByUs: false }]),
  );
  const changes: string[] = [];
  const broken = new Set<string>();
  const change = async (mappingId: string, action: 'open' | 'close') => {
    changes.push(`${action} ${mappingId}`);
    const closes = action === 'close';
    sources.set(mappingId, { state: closes ? 'closed' : 'open', closedByUs: closes });
  };
  return {
    sources,
    changes,
    broken,
    async read(mappingId) {
      const source = sources.get(mappingId);
      if (source === undefined || broken.has(mappingId)) throw new Error('no such mapping');
      return { mappingId, arn: `arn:${mappingId}`, ...source };
    },
    close: ({ mappingId }) => change(mappingId, 'close'),
    open: ({ mappingId }) => change(mappingId, 'open'),
  };
}
