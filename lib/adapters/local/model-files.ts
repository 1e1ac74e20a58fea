import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { homedir, platform } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { UsageError } from '../../core/errors.ts';
import type { ModelDefinition } from '../../core/model.ts';

/** Where the files of a model come from. */
interface ModelSource {
  /** The address of the hub; undefined: nothing is downloaded. */
  readonly hubUrl: string;
  /** The folder that downloaded files stay in. */
  readonly cacheFolder: string;
  /** The folder that a relative `modelFolder` begins at. */
  readonly directory: string;
}

type FilesOfModel = Pick<ModelDefinition, 'alias' | 'modelId' | 'revision' | 'modelFolder' | 'files'>;

/**
 * Gives the folder that holds all files of a model, and downloads those that are missing.
 * A model with a folder of its own is never downloaded. Downloaded files are kept by the commit
 * that they are from, and one that is not what the configuration says is not kept. The process that
 * loads the model checks every file again.
 * @throws UsageError where a file is missing, cannot be downloaded, or is another one
 */
export async function findModelFolder(model: FilesOfModel, source: ModelSource): Promise<string> {
  const { alias, modelId, revision, modelFolder, files = {} } = model;
  const folder =
    modelFolder === undefined
      ? join(source.cacheFolder, modelId.replaceAll('/', '--'), revision)
      : resolve(source.directory, modelFolder);
  const missing = Object.keys(files).filter(path => !existsSync(join(folder, path)));
  if (missing.length === 0) return folder;
  if (modelFolder !== undefined)
    throw new UsageError(
      `The model ${alias}: ${missing.join(', ')} is not in ${folder}.`,
      `Put it there, or leave out modelFolder to have it downloaded.`,
    );
  for (const path of missing) {
    const url = `${source.hubUrl.replace(/\/$/, '')}/${modelId}/resolve/${revision}/${path}`;
    await download(url, join(folder, path), files[path]!).catch((error: unknown) => {
      const reason = error instanceof Refused ? error.message : 'could not be downloaded';
      throw new UsageError(
        `The model ${alias}: ${path} ${reason}, from ${new URL(url).host}.`,
        'On a machine without network: copy the files of the model, and name their folder as modelFolder.',
      );
    });
  }
  return folder;
}

/** Why a download was not kept; anything else that is thrown could quote an answer. */
class Refused extends Error {}

/** Downloads a file to its place, which it takes only when it is whole and the right one. */
async function download(url: string, file: string, expected: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const unfinished = `${file}.${randomUUID()}`;
  // A bundle gives only the default export of a CommonJS module that is loaded lazily.
  const { default: undici } = await import('undici');
  const dispatcher = new undici.EnvHttpProxyAgent();
  try {
    const { status, body } = await undici.fetch(url, { dispatcher });
    if (status !== 200 || body === null) throw new Refused(`was refused with status ${status}`);
    const digester = createHash('sha256');
    const digest = new Transform({
      transform(piece: Buffer, _, pass) {
        digester.update(piece);
        pass(null, piece);
      },
    });
    await pipeline(Readable.fromWeb(body), digest, createWriteStream(unfinished, { flags: 'wx' }));
    const found = digester.digest('hex');
    if (found !== expected)
      throw new Refused(`has SHA-256 ${found.slice(0, 12)}…, not ${expected.slice(0, 12)}…`);
    await rename(unfinished, file);
  } finally {
    await rm(unfinished, { force: true });
    await dispatcher.close();
  }
}

/** The folder of the user in which programs keep what they can download again. */
export function findCacheFolder(variables: Readonly<Record<string, string | undefined>>): string {
  const folders = {
    darwin: join(homedir(), 'Library', 'Caches'),
    win32: variables.LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'),
  };
  const own = (folders as Readonly<Record<string, string>>)[platform()];
  // An empty or relative value means nothing (XDG Base Directory Specification).
  const named = variables.XDG_CACHE_HOME?.startsWith('/') ? variables.XDG_CACHE_HOME : undefined;
  return join(named ?? own ?? join(homedir(), '.cache'), 'freshet', 'models');
}
