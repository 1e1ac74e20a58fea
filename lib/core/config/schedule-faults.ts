import { UsageError } from '../errors.ts';
import type { StageSettings } from './aws-schema.ts';
import { formatPath, suggestNearest } from './describe-issues.ts';
import type { PipelineConfig } from './pipeline-config.ts';
import { findRunMode } from './run-modes.ts';
import { findSlowSchedule } from './stages.ts';

/** When schedules start `detect`, and by which mode. */
export type PlannedSchedules = Pick<StageSettings['schedules'], 'incremental' | 'sources' | 'modes'>;

interface PlannedLooks {
  /** Where the settings stand. */
  readonly place: readonly string[];
  readonly schedules: PlannedSchedules;
  /** The promise: an edit is embedded within this many minutes. */
  readonly sloMinutes: number;
}

/** Finds what keeps a stage's schedules of `detect` from doing what they are there for. */
export function findScheduleFaults(config: PipelineConfig, planned: PlannedLooks): string[] {
  return [
    ...findBrokenPromise(planned),
    ...findStrangeSources(config, planned),
    ...findStrangeModes(config, planned),
  ];
}

function findBrokenPromise({ place: settings, schedules, sloMinutes }: PlannedLooks): string[] {
  const looks = [
    [['incremental'], schedules.incremental] as const,
    ...Object.entries(schedules.sources).map(
      ([name, expression]) => [['sources', name], expression] as const,
    ),
  ];
  return looks.flatMap(([place, expression]) => {
    const message = findSlowSchedule(expression, sloMinutes);
    return message === undefined ? [] : [`${pathOf(settings, ...place)} ${message}.`];
  });
}

/** Finds schedules of unknown sources, and an `incremental` that no source is left for. */
function findStrangeSources({ sources }: PipelineConfig, { place, schedules }: PlannedLooks): string[] {
  const path = pathOf(place, 'sources');
  const names = sources.map(({ name }) => name);
  const scheduled = Object.keys(schedules.sources);
  const strange = scheduled
    .filter(name => !names.includes(name))
    .map(name => `${path}.${name} is no source${suggestNearest(name, names)} (known: ${names.join(', ')}).`);
  if (strange.length > 0 || names.some(name => !scheduled.includes(name))) return strange;
  return [
    `${path} names every source, so that schedules.incremental has none left: leave the ` +
      'sources out whose schedule it can be.',
  ];
}

/** Finds modes that are none, and those of a source that has no schedule of its own. */
function findStrangeModes(config: PipelineConfig, { place: settings, schedules }: PlannedLooks): string[] {
  const { sources: ofSources, ...ofPasses } = schedules.modes;
  const scheduled = Object.keys(schedules.sources);
  const strange = Object.keys(ofSources)
    .filter(name => !scheduled.includes(name))
    .map(
      name =>
        `${pathOf(settings, 'modes', 'sources', name)} is of a source that has no schedule of its own: ` +
        `give it one at ${pathOf(settings, 'sources', name)}, or name the mode of all of them at ` +
        `${pathOf(settings, 'modes', 'incremental')}.`,
    );
  const named = [
    ...Object.entries(ofPasses).map(([pass, mode]) => [[pass], mode] as const),
    ...Object.entries(ofSources).map(([name, mode]) => [['sources', name], mode] as const),
  ];
  return [
    ...strange,
    ...named.flatMap(([place, mode]) => {
      const fault = mode === undefined ? undefined : describeStrangeMode(config, mode);
      return fault === undefined ? [] : [`${pathOf(settings, 'modes', ...place)}: ${fault}`];
    }),
  ];
}

function describeStrangeMode({ modes }: PipelineConfig, mode: string): string | undefined {
  try {
    findRunMode(modes, mode);
    return undefined;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return [error.message, error.remedy].filter(Boolean).join(' ');
  }
}

function pathOf(settings: readonly string[], ...place: readonly string[]): string {
  return formatPath([...settings, 'schedules', ...place]);
}
