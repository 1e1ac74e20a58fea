/**
 * Quotes a name, qualified or not, as PostgreSQL takes it.
 * The result is for statements and for messages that show a name.
 */
export function quoteName(...parts: readonly string[]): string {
  return parts.map(part => `"${part.replaceAll('"', '""')}"`).join('.');
}
