/** Discord's limit for a message. Slack takes more, but nobody reads that much. */
const MAX_CHARACTERS = 2_000;

/**
 * Composes the body of a post for Slack or Discord, chosen by the host.
 * Names in the text mention nobody, and Slack's markup of links in them is escaped.
 */
export function composePost(host: string, text: string): object {
  const short = text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS - 1)}…` : text;
  if (/(^|\.)discord(app)?\.com$/.test(host)) return { content: short, allowed_mentions: { parse: [] } };
  return { text: short.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;') };
}
