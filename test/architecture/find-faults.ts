import type { Module, SourceFile } from './read-modules.ts';

export interface Sizes {
  readonly files: number;
  readonly lines: number;
  readonly filesPerThousandLines: number;
  readonly median: number;
  readonly p90: number;
  readonly longest: number;
}

export const countLines = ({ text }: SourceFile) => text.trimEnd().split('\n').length;

export function measureSizes(files: readonly SourceFile[]): Sizes {
  const lengths = files.map(countLines).sort((a, b) => a - b);
  const lines = lengths.reduce((sum, length) => sum + length, 0);
  const at = (share: number) =>
    lengths[Math.min(lengths.length - 1, Math.floor(share * lengths.length))] ?? 0;
  return {
    ...{ files: files.length, lines, filesPerThousandLines: (1_000 * files.length) / lines },
    ...{ median: at(0.5), p90: at(0.9), longest: lengths.at(-1) ?? 0 },
  };
}

/** Files that are loaded when they are needed: what they hold cannot be in the file that loads them. */
export function findLazilyLoaded(modules: readonly Module[]): ReadonlySet<string> {
  const lazy = modules.flatMap(({ imports }) => imports.filter(({ kind }) => kind === 'lazy'));
  return new Set(lazy.flatMap(({ path }) => (path === undefined ? [] : [path])));
}

/** `path: name` of what `modules` export and no other file of `users` imports. Whoever loads a file lazily uses the names that it mentions. */
export function findUnusedExports(modules: readonly Module[], users: readonly Module[]): readonly string[] {
  const byPath = new Map([...users, ...modules].map(module => [module.path, module]));
  const used = new Set<string>();
  const use = (path: string, name: string, by: string) => {
    for (const exported of name === '*' ? (byPath.get(path)?.exports ?? []) : [name]) {
      const origin = byPath.get(path)?.handedOn.get(exported);
      if (origin) use(origin.path, origin.name, by);
      else if (path !== by) used.add(`${path}: ${exported}`);
    }
  };
  for (const { path: by, text, imports } of users) {
    for (const { path, kind, names } of imports) {
      if (path === undefined) continue;
      const mentioned = () =>
        (byPath.get(path)?.exports ?? []).filter(name => new RegExp(`\\b${name}\\b`).test(text));
      for (const name of kind === 'lazy' ? mentioned() : names) use(path, name, by);
    }
  }
  return modules
    .flatMap(({ path, exports }) => exports.map(name => `${path}: ${name}`))
    .filter(entry => !used.has(entry));
}

/** A name, and the files that each declare and export something of that name. */
export function findNamesTwice(modules: readonly Module[]): ReadonlyMap<string, readonly string[]> {
  const named = Map.groupBy(
    modules.flatMap(({ path, exports }) => exports.map(name => ({ name, path }))),
    ({ name }) => name,
  );
  const twice = [...named].filter(([, entries]) => entries.length > 1);
  return new Map(twice.map(([name, entries]) => [name, entries.map(({ path }) => path)]));
}

/** A chain of imports from a file back to itself for every file that has one; what is loaded lazily ends a chain. */
export function findCircles(modules: readonly Module[]): readonly string[] {
  const targets = new Map(
    modules.map(({ path, imports }) => [
      path,
      imports.flatMap(entry => (entry.path !== undefined && entry.kind !== 'lazy' ? [entry.path] : [])),
    ]),
  );
  const done = new Set<string>();
  const circles: string[] = [];
  const follow = (path: string, trail: readonly string[]) => {
    const begin = trail.indexOf(path);
    if (begin >= 0) circles.push([...trail.slice(begin), path].join(' -> '));
    if (begin >= 0 || done.has(path)) return;
    for (const target of targets.get(path) ?? []) follow(target, [...trail, path]);
    done.add(path);
  };
  for (const { path } of modules) follow(path, []);
  return circles;
}

/** Two rooms that import each other, types and lazily loaded files too, with an import for each way. */
export function findMutualRooms(
  modules: readonly Module[],
  roomOf: (path: string) => string,
): readonly string[] {
  const ways = new Map<string, string>();
  for (const { path, imports } of modules) {
    for (const target of imports.flatMap(entry => entry.path ?? [])) {
      const way = `${roomOf(path)} -> ${roomOf(target)}`;
      if (!ways.has(way)) ways.set(way, `${path} -> ${target}`);
    }
  }
  return [...ways].flatMap(([way, example]) => {
    const [from = '', to = ''] = way.split(' -> ');
    const back = ways.get(`${to} -> ${from}`);
    return from < to && back !== undefined ? [`${from} and ${to}: ${example}, ${back}`] : [];
  });
}

/** `path:line (columns)` of lines that are too wide; comments have less room than code. */
export function findWideLines(
  files: readonly SourceFile[],
  columns: { readonly line: number; readonly comment: number },
): readonly string[] {
  return files.flatMap(({ path, text }) => {
    let inBlock = false;
    return text.split('\n').flatMap((line, index) => {
      const trimmed = line.trimStart();
      inBlock ||= trimmed.startsWith('/*');
      const isComment = inBlock || trimmed.startsWith('//');
      if (inBlock && line.includes('*/')) inBlock = false;
      const width = [...line].length;
      return width > (isComment ? columns.comment : columns.line) ? [`${path}:${index + 1} (${width})`] : [];
    });
  });
}
