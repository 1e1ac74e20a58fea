/** Discord's limit; Slack takes more, but nobody reads it. */
const MAX_CHARACTERS = 2_000;

/** The body of a post. Whatever a name holds, it mentions nobody and links nowhere. */
export function composePost(host: string, text: string): object {
  const short = text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS - 1)}…` : text;
  if (/(^|\.)discord(app)?\.com$/.test(host)) return { content: short, allowed_mentions: { parse: [] } };
  return { text: short.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;') };
}
