import type { Space } from './model.ts';

/**
 * The scope of everything.
 * `freshet.control` holds reasons by scope; a scope stands still while it has a reason that pauses.
 */
export const PIPELINE_SCOPE = 'pipeline';

/** The scope of every space of a model. */
export function modelScope(alias: string): string {
  return `model:${alias}`;
}

/** The scope of every space of a source. */
export function sourceScope(name: string): string {
  return `source:${name}`;
}

/** Whether a scope is that of a source, whose name has 1 to 63 characters. */
export function isSourceScope(scope: string): boolean {
  return /^source:.{1,63}$/s.test(scope);
}

/** The scopes that a space belongs to: a reason of any of them concerns the space. */
export function scopesOf({ model, source }: Pick<Space, 'model' | 'source'>): readonly string[] {
  return [PIPELINE_SCOPE, modelScope(model.alias), sourceScope(source.name)];
}

const RUN_SCOPE_PREFIX = 'run:';

/** The scope of one local run. */
export function runScope(runId: number): string {
  return `${RUN_SCOPE_PREFIX}${runId}`;
}

/** Whether a scope concerns one run. Reasons of such a scope pause nothing. */
export function isRunScope(scope: string): boolean {
  return scope.startsWith(RUN_SCOPE_PREFIX);
}

/** The reason of what a person paused. Only a person resumes it. */
export const OPERATOR_PAUSE = 'operator';

/** The reason, of the whole pipeline, while the database takes no writes. */
export const DATABASE_PAUSE = 'database';

/** The reason of what a cap of the budget stopped; its detail is the sentence of the cap. */
export const BUDGET_PAUSE = 'budget';

const PROVIDER_PAUSE_PREFIX = 'provider:';

/** The reason of a model whose provider said stop; `code` is that of the failure. */
export function providerPause(code: string): string {
  return `${PROVIDER_PAUSE_PREFIX}${code}`;
}

/** Whether a provider's failure is the reason. Other providers can then do the work. */
export function isProviderPause(reason: string): boolean {
  return reason.startsWith(PROVIDER_PAUSE_PREFIX);
}

/**
 * The reason that confirms missing rows as meant to be gone.
 * An operator writes it with the scope of a source. A confirmation pauses nothing and holds for a
 * day.
 */
export const ORPHANS_CONFIRMED = 'orphans:confirmed';

/**
 * The reason by which an operator asks a local run to stop.
 * Its scope is that of the run, which stops after the batch in hand.
 */
export const STOP_REQUESTED = 'stop';

/**
 * The reason by which somebody asks a local run that watches to look now.
 * Its scope is that of the run, which clears it before it looks. It pauses nothing.
 */
export const NUDGED = 'nudge';

/**
 * The words that an operator may put beside a pause.
 * Other people see them and logs keep them, so they are few and plain.
 */
export const PAUSE_DETAIL = /^[\p{L}\p{N} ._:#/-]{0,80}$/u;
