import { askAws } from '../../adapters/aws/ask-aws.ts';
import { createLambdaEventSources } from '../../adapters/lambda/lambda-event-sources.ts';
import { readSchedule, switchSchedule } from '../../adapters/scheduler/switch-schedule.ts';
import type { EventSource } from '../../ports/event-sources.ts';
import type { Deployment } from './open-deployment.ts';

interface Flow {
  readonly eventSources: readonly {
    readonly feeds: string;
    readonly mappingId: string;
    readonly state: EventSource['state'];
  }[];
  readonly schedules: readonly { readonly name: string; readonly state: 'enabled' | 'disabled' }[];
}

/**
 * Reads the state of what lets work in.
 * Work comes in by the mappings between queues and functions, and by the schedules of `detect`.
 */
export async function readFlow({ settings, clients }: Deployment): Promise<Flow> {
  const sources = createLambdaEventSources(clients.lambda);
  const { embed = {}, write = [] } = settings.eventSources ?? {};
  const mappings = [
    ...Object.entries(embed).flatMap(([alias, ids]) => ids.map(id => ({ feeds: `embed ${alias}`, id }))),
    ...write.map(id => ({ feeds: 'write', id })),
  ];
  const eventSources: Flow['eventSources'][number][] = [];
  for (const { feeds, id } of mappings) {
    const { state } = await askAws('lambda:GetEventSourceMapping', () => sources.read(id));
    eventSources.push({ feeds, mappingId: id, state });
  }
  const schedules: Flow['schedules'][number][] = [];
  for (const name of settings.scheduleNames ?? [])
    schedules.push({ name, state: await readSchedule(clients.scheduler, name) });
  return { eventSources, schedules };
}

/**
 * Opens or closes what lets work in, and resolves with what changed, in words.
 * What feeds `embed` closes at once instead of at the guard's next look. The mappings are marked as
 * the guard's own, so that the guard opens them again when no reason is left. The mapping of
 * `write` stays open: what was bought is still written. A pause of everything also switches the
 * schedules off, and opening switches them on.
 */
export async function switchFlow(
  { settings, clients }: Deployment,
  scope: string,
  to: 'open' | 'closed',
): Promise<string[]> {
  const sources = createLambdaEventSources(clients.lambda);
  const changed: string[] = [];
  for (const [alias, ids] of Object.entries(settings.eventSources?.embed ?? {})) {
    if (scope !== 'pipeline' && scope !== `model:${alias}`) continue;
    for (const id of ids) {
      const source = await askAws('lambda:GetEventSourceMapping', () => sources.read(id));
      const isDue =
        to === 'closed' ? source.state === 'open' : source.state === 'closed' && source.closedByUs;
      if (!isDue) continue;
      const switching = () => (to === 'closed' ? sources.close(source) : sources.open(source));
      await askAws('lambda:UpdateEventSourceMapping', switching);
      changed.push(`event source ${id} (embed ${alias})`);
    }
  }
  if (scope !== 'pipeline') return changed;
  for (const name of settings.scheduleNames ?? [])
    if (await switchSchedule(clients.scheduler, name, to === 'open' ? 'enabled' : 'disabled'))
      changed.push(`schedule ${name}`);
  return changed;
}
