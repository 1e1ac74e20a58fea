import type { Mutant } from './mutant.ts';

/** Throws where a patch does not apply: the source moved on and the mutant has to follow. */
export function applyChanges(text: string, { name, file, changes }: Mutant): string {
  return changes.reduce((patched, [find, replacement]) => {
    const places = patched.split(find).length - 1;
    if (places !== 1)
      throw new Error(`Mutant ${name} no longer applies: its text stands ${places} times in ${file}.`);
    return patched.replace(find, () => replacement);
  }, text);
}
