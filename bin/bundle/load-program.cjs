// Runs the bundled program with the code that V8 made of it in an earlier run of the same command.
// Node's own cache holds what is compiled before a file runs, which is no function that is called
// later: a start parses those anew. V8 is asked for its code when the process ends, so that the
// cache holds what the command has called. It is plain JavaScript, and so costs no type stripping.
'use strict';

const { isAscii } = require('node:buffer');
const { readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } = require('node:fs');
const { createRequire, getCompileCacheDir } = require('node:module');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { setFlagsFromString } = require('node:v8');
const { constants, Script } = require('node:vm');
const { crc32 } = require('node:zlib');

/** Commands that are worth a cache of their own; the others share one. */
const OWN_CACHES = new Set(['help', 'run', 'search', 'serve', 'status']);
/** A command that had so much more to do than the one that made the cache makes it anew. */
const GROWTH = 2;
/** Beyond so much CPU, V8 begins to forget the code of what was called once, at the start. */
const MOST_CPU_MS = 20_000;
/** Programs whose code stays, each of some megabytes: every edit of a checkout makes another one. */
const KEPT_PROGRAMS = 3;
/** The flags that a run changes, as V8 starts with them. */
const FIRST_FLAGS = [
  'no-external-memory-accounted-in-global-limit',
  'heap-growing-percent=0',
  'semi-space-growth-factor=2',
];
/** Checksum of the code, and the CPU in milliseconds of the process that made it. */
const HEADER_BYTES = 8;

/**
 * Runs the program in the file, which holds one function with the parameters of a module.
 * The cache lies where Node keeps its own, and is used for the same Node, flags and user only.
 * Without such a folder the program is compiled as it comes.
 */
module.exports = function loadProgram(file) {
  const folder = getCompileCacheDir?.();
  const command = OWN_CACHES.has(process.argv[2]) ? process.argv[2] : 'other';
  const cache = folder && path.join(folder, `${path.basename(file, '.cjs')}-${command}.code`);
  const kept = cache && readCache(cache);
  const filename = pathToFileURL(file).href;
  const bytes = readFileSync(file);
  // Characters beyond ASCII, which no build escapes in templates with a tag, take twice the memory.
  const script = new Script(bytes.toString(isAscii(bytes) ? 'latin1' : 'utf8'), {
    filename,
    cachedData: kept?.code,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  const usedCpuMs = kept === undefined || script.cachedDataRejected ? 0 : kept.cpuMs;
  if (cache) process.once('exit', () => keepCode(script, cache, usedCpuMs));
  const module = { exports: {} };
  script.runInThisContext()(module.exports, createRequire(filename), module, file, path.dirname(file));
};

/** Reads the code that is kept; undefined where there is none or it is not whole. */
function readCache(cache) {
  try {
    const kept = readFileSync(cache);
    const code = kept.subarray(HEADER_BYTES);
    return kept.readUInt32LE(0) === crc32(code) ? { code, cpuMs: kept.readUInt32LE(4) } : undefined;
  } catch {
    return undefined;
  }
}

/** Keeps the code of this process where the kept code is of none, or of one that did much less. */
function keepCode(script, cache, usedCpuMs) {
  const { user, system } = process.cpuUsage();
  const cpuMs = Math.round((user + system) / 1000);
  const isBetter = cpuMs <= MOST_CPU_MS && (cpuMs >= GROWTH * usedCpuMs || usedCpuMs > MOST_CPU_MS);
  if (usedCpuMs > 0 && !isBetter) return;
  const unfinished = `${cache}.${process.pid}`;
  try {
    // V8 takes code for its own only under the flags that it starts with.
    if (Number.parseInt(process.versions.node, 10) >= 24)
      for (const flag of FIRST_FLAGS) setFlagsFromString(`--${flag}`);
    const code = script.createCachedData();
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32LE(crc32(code), 0);
    header.writeUInt32LE(cpuMs, 4);
    writeFileSync(unfinished, Buffer.concat([header, code]), { mode: 0o600 });
    renameSync(unfinished, cache);
    removeOld(cache);
  } catch {
    rmSync(unfinished, { force: true });
  }
}

/** Removes the code of the same command of all programs but the last ones. */
function removeOld(cache) {
  const ending = path.basename(cache).replace(/^.*-/, '-');
  const folder = path.dirname(cache);
  const files = readdirSync(folder).filter(name => name.startsWith('program-') && name.endsWith(ending));
  if (files.length <= KEPT_PROGRAMS) return;
  const aged = files.map(name => ({ name, changedMs: statSync(path.join(folder, name)).mtimeMs }));
  aged.sort((left, right) => right.changedMs - left.changedMs);
  for (const { name } of aged.slice(KEPT_PROGRAMS)) rmSync(path.join(folder, name), { force: true });
}
