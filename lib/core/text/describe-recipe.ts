import type { ResolvedSource } from '../model/space.ts';
import { RECIPE_VERSION } from './recipe-version.ts';

/**
 * Describes how a row becomes a text, as JSON.
 * The order of its keys is fixed, so that equal recipes are equal strings.
 */
export function describeRecipe(
  source: Pick<ResolvedSource, 'textColumns' | 'template' | 'overLimit'>,
): string {
  return JSON.stringify({
    version: RECIPE_VERSION,
    columns: source.textColumns.map(column => [column.name, column.isArray]),
    template: source.template ?? null,
    overLimit: source.overLimit,
  });
}
