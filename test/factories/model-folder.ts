import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A file of safetensors with one tensor of so many bytes. */
export function makeSafetensors(bytes: number): Buffer {
  const header = Buffer.from(
    JSON.stringify({ weight: { dtype: 'F32', shape: [bytes / 4], data_offsets: [0, bytes] } }),
  );
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, Buffer.alloc(bytes, 7)]);
}

/** A model as the hub gives it; `changes` adds files, or takes them away with undefined. */
export function makeModelFolder(
  folder: string,
  changes: Readonly<Record<string, string | Buffer | undefined>> = {},
): string {
  const files = {
    'config.json': '{"model_type":"bert"}',
    'tokenizer.json': '{"version":"1.0"}',
    'model.safetensors': makeSafetensors(64),
    '1_Pooling/config.json': '{"pooling_mode_mean_tokens":true}',
    '.cache/huggingface/download.lock': '',
    ...changes,
  };
  mkdirSync(folder, { recursive: true });
  for (const [path, contents] of Object.entries(files)) {
    if (contents === undefined) continue;
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), contents);
  }
  return folder;
}
