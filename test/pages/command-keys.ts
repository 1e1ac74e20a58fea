/**
 * The keys that an object should have by a definition in the table of commands: all of them but those marked by `?`
 * that the object does not have.
 */
export function keysAmong(defined: readonly string[], given: readonly string[]): string[] {
  return defined.flatMap(key => {
    const name = key.replace(/\?$/, '');
    return key !== name && !given.includes(name) ? [] : [name];
  });
}
