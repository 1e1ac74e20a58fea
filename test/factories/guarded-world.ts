import { FreshetError, UNKNOWN_SCHEMA } from '../../lib/core/errors.ts';
import type { GuardPorts, GuardState } from '../../lib/pipeline/guard/guard-ports.ts';
import type { EventSource, EventSources } from '../../lib/ports/queues.ts';
import { grantProbe } from '../twin/twin-embedding.ts';
import { makeSpace } from './space.ts';
import { makeWorld } from './world.ts';

export const MAPPINGS = {
  embed: { small: ['small-fresh', 'small-bulk'], large: ['large-fresh', 'large-bulk'] },
  write: ['write'],
};

/** Makes a guard over two models on doubles; `troubles` are what goes wrong around it. */
export function makeGuardedWorld() {
  const small = makeSpace();
  const large = makeSpace({ spaceId: 2, model: { ...small.model, alias: 'large' } });
  const world = makeWorld([small, large]);
  const eventSources = createEventSources([...Object.values(MAPPINGS.embed).flat(), ...MAPPINGS.write]);
  const troubles = { databaseDown: false, rightsMissing: false, schemaUnknown: false };
  const refuse = (code: string, failureClass: 'stop' | 'transient') => {
    throw new FreshetError('scripted', { failureClass, code });
  };
  const state: GuardState = {
    control: world.control,
    spaces: world.spaces,
    embedding: {
      grantCall: async (_, grant) => grantProbe(world.twin, grant),
      revokeGrant: world.embedPorts.embedding.revokeGrant,
    },
    outcomes: world.writePorts.outcomes,
    probes: world.database.probes,
    requireWrites: async () => {
      if (troubles.rightsMissing) refuse('sqlstate_42501', 'stop');
    },
  };
  const ports: GuardPorts = {
    ...world,
    mappings: MAPPINGS,
    eventSources,
    providers: () => world.provider,
    openState: async () => {
      if (troubles.databaseDown) refuse('network_econnrefused', 'transient');
      if (troubles.schemaUnknown) refuse(UNKNOWN_SCHEMA, 'stop');
      return state;
    },
  };
  return { ...world, ports, eventSources, troubles };
}

/** Event source mappings whose changes take effect at once, where AWS takes a while. */
interface FakeEventSources extends EventSources {
  readonly sources: Map<string, { state: EventSource['state']; closedByUs: boolean }>;
  /** `close <id>` and `open <id>`, in order. */
  readonly changes: string[];
  /** Ids whose reading rejects. */
  readonly broken: Set<string>;
}

function createEventSources(mappingIds: readonly string[]): FakeEventSources {
  const sources: FakeEventSources['sources'] = new Map(
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
