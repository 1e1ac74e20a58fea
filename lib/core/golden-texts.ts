import type { ModelDefinition } from './model.ts';
import { describeFurtherKeys, hashFields } from './text.ts';

/**
 * The texts that a check asks every model to embed.
 * One is English, one mixes other scripts, and one is code. The last is longer than the model
 * takes, because runtimes cut differently.
 */
export function goldenTexts(maxTokensPerText: number | undefined): readonly string[] {
  const bytes = (maxTokensPerText ?? LONG_TEXT_TOKENS) * BYTES_PER_TOKEN;
  return [...SHORT_TEXTS, SENTENCE.repeat(Math.ceil(bytes / SENTENCE.length)).trim()];
}

const SHORT_TEXTS = [
  'A small brown bird sang on the roof of the station.',
  'Ένα μικρό πουλί · 小さな鳥 · маленькая птица · طائر صغير',
  'for (const row of rows) { total += row.price * 1.19; } // 🧾',
] as const;

const SENTENCE =
  'The harbour was quiet, and the boats that had gone out at dawn came back one by one with the tide. ';

/** The assumed limit of a model that names none. */
const LONG_TEXT_TOKENS = 512;

/**
 * Bytes of golden text per token of the limit.
 * A token of English has about four and a half bytes, so that the long text exceeds the limit.
 */
const BYTES_PER_TOKEN = 7;

/**
 * Version of the golden texts. It is raised when one of them changes.
 * Golden vectors are then recorded anew.
 */
const GOLDEN_TEXT_VERSION = 1;

/**
 * The key under which the golden vectors of a model are stored.
 * Models of one key promise equal vectors of equal texts.
 */
export function goldenKeyOf(model: ModelDefinition): {
  readonly modelFingerprint: string;
  readonly textVersion: number;
} {
  return { modelFingerprint: fingerprintModel(model), textVersion: GOLDEN_TEXT_VERSION };
}

/**
 * Fingerprints what a configuration promises about a model's vectors.
 * The alias and the place of the model are left out. Equal fingerprints promise equal vectors.
 */
function fingerprintModel(model: ModelDefinition): string {
  return hashFields([
    'freshet-model',
    '1',
    model.modelId,
    model.revision,
    String(model.dimensions),
    String(model.maxTokensPerText ?? ''),
    model.documentPrefix,
    String(model.normalized),
    ...describeFurtherKeys(model),
  ]);
}
