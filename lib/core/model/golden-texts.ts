/** Of the texts below. Raised when one of them changes: golden vectors are then recorded anew. */
export const GOLDEN_TEXT_VERSION = 1;

const SHORT_TEXTS = [
  'A small brown bird sang on the roof of the station.',
  'Ένα μικρό πουλί · 小さな鳥 · маленькая птица · طائر صغير',
  'for (const row of rows) { total += row.price * 1.19; } // 🧾',
] as const;

const SENTENCE =
  'The harbour was quiet, and the boats that had gone out at dawn came back one by one with the tide. ';
/** Where the model names no limit. */
const LONG_TEXT_TOKENS = 512;
/** A token of English holds about four and a half bytes, so that this many per token is longer than the limit. */
const BYTES_PER_TOKEN = 7;

/** What every model is asked at a check: three scripts and code, and one text that is longer than the model takes, because runtimes cut differently. */
export function goldenTexts(maxTokensPerText: number | undefined): readonly string[] {
  const bytes = (maxTokensPerText ?? LONG_TEXT_TOKENS) * BYTES_PER_TOKEN;
  return [...SHORT_TEXTS, SENTENCE.repeat(Math.ceil(bytes / SENTENCE.length)).trim()];
}
