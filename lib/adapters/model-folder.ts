import { createReadStream } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { UsageError } from '../core/errors.ts';
import {
  createDigester,
  findMissingFiles,
  isWeights,
  measureSafetensors,
  readHeaderLength,
  SAFETENSORS_PREFIX_BYTES,
} from '../core/model-manifest.ts';
import type { FolderFile } from '../ports/provider.ts';

const DOWNLOAD_REMEDY =
  'Download the whole model once more, for example: ' +
  'hf download <owner>/<model> --revision <commit> --local-dir <folder>';

/**
 * Reads the files of a downloaded model, without hidden ones, each once.
 * `onRead` is told the bytes read so far and the bytes of all files.
 * @throws UsageError where the embedding image could not serve the files: some are missing, a
 *   pointer stands in place of weights, or weights are cut short
 */
export async function readModelFolder(
  folder: string,
  onRead: (bytes: number, ofBytes: number) => void,
): Promise<FolderFile[]> {
  const paths = await listFiles(folder, '');
  const problems = findMissingFiles(paths);
  const sizes = new Map<string, number>();
  for (const path of paths) sizes.set(path, (await stat(join(folder, path))).size);
  for (const path of paths.filter(isWeights)) {
    const problem = await findBrokenWeights(join(folder, path), sizes.get(path)!);
    if (problem !== undefined) problems.push(`${path} ${problem}`);
  }
  if (problems.length > 0)
    throw new UsageError(
      `${folder} is no model that can be served:\n${problems.map(problem => `  ${problem}`).join('\n')}`,
      DOWNLOAD_REMEDY,
    );
  const ofBytes = [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
  let bytesBefore = 0;
  const files: FolderFile[] = [];
  for (const path of paths) {
    const file = join(folder, path);
    const digester = createDigester();
    for await (const piece of createReadStream(file)) {
      digester.update(piece);
      bytesBefore += piece.length;
      onRead(bytesBefore, ofBytes);
    }
    files.push({ path, ...digester.finish(), open: () => createReadStream(file) });
  }
  return files;
}

/**
 * Lists the files of a folder at any depth, sorted, without hidden ones.
 * Links to files are followed, because the hub's own cache consists of them.
 */
async function listFiles(folder: string, below: string): Promise<string[]> {
  const entries = await readdir(join(folder, below), { withFileTypes: true }).catch(error => {
    throw new UsageError(
      `The folder ${join(folder, below)} cannot be read (${(error as NodeJS.ErrnoException).code}).`,
    );
  });
  const paths: string[] = [];
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue;
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) paths.push(...(await listFiles(folder, path)));
    else if (await isFile(join(folder, path))) paths.push(path);
    else throw new UsageError(`${join(folder, path)} is neither a file nor a link to one.`);
  }
  return paths.sort();
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    found => found.isFile(),
    () => false,
  );
}

/**
 * Finds what is wrong with a file of weights. Undefined: nothing is.
 * The answer is the rest of a sentence that begins with the name of the file.
 */
async function findBrokenWeights(file: string, bytes: number): Promise<string | undefined> {
  const handle = await open(file);
  try {
    const readAt = async (length: number, position: number) => {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, position);
      return buffer.subarray(0, bytesRead);
    };
    const headerLength = readHeaderLength(await readAt(SAFETENSORS_PREFIX_BYTES, 0));
    if (headerLength === undefined)
      return 'holds no safetensors; a pointer of Git LFS looks so: fetch the file itself.';
    if (SAFETENSORS_PREFIX_BYTES + headerLength > bytes) return 'is cut short within its header.';
    const needed = measureSafetensors(await readAt(headerLength, SAFETENSORS_PREFIX_BYTES));
    if (needed === undefined) return 'has a header that cannot be read.';
    return needed === bytes ? undefined : `has ${bytes} bytes, and its tensors need ${needed}.`;
  } finally {
    await handle.close();
  }
}
