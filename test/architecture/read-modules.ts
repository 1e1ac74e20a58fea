import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

export interface SourceFile {
  /** From the root of the repository, with slashes. */
  readonly path: string;
  readonly text: string;
}

export interface Import {
  readonly specifier: string;
  /** The file that a relative specifier names; undefined for packages and `node:`. */
  readonly path: string | undefined;
  /** `lazy`: by `import()`, when it is needed. */
  readonly kind: 'value' | 'type' | 'lazy';
  /** Names as the other file exports them; `*` for all. */
  readonly names: readonly string[];
}

export interface Module extends SourceFile {
  /** Names that are declared here, without those that are handed on from another file. */
  readonly exports: readonly string[];
  readonly imports: readonly Import[];
  /** By its name here, what is handed on from another file. */
  readonly handedOn: ReadonlyMap<string, { readonly path: string; readonly name: string }>;
}

const COMMENT = /^[ \t]*\/\*[\s\S]*?\*\/|^[ \t]*\/\/.*$/gm;
const DECLARATION =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|const|let|class|enum|interface|type) ([\w$]+)/gm;
const EXPORT_LIST = /^export (type )?(\{[^}]*\}|\*(?: as [\w$]+)?)(?: from '([^']+)')?;/gm;
const IMPORT = /^import (type )?(?:([^'";]+?) from )?'([^']+)'/gm;
const LAZY_IMPORT = /(typeof )?\bimport\(\s*'([^']+)'\s*\)/g;

/** Files of these folders, those below them too, in order of their paths. */
export function readSources(root: string, folders: readonly string[]): readonly SourceFile[] {
  return folders.flatMap(folder =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter(file => file.endsWith('.ts') && !file.includes('node_modules'))
      .map(file => path.posix.join(folder, file.split(path.sep).join('/')))
      .sort()
      .map(file => ({ path: file, text: readFileSync(path.join(root, file), 'utf8') })),
  );
}

/** Reads imports and exports from code that biome formatted: those statements begin their line, with single quotes. */
export function readModule({ path: file, text }: SourceFile): Module {
  const code = text.replace(COMMENT, '');
  const resolve = (specifier: string) =>
    specifier.startsWith('.') ? path.posix.join(path.posix.dirname(file), specifier) : undefined;
  const imports: Import[] = [];
  const imported = new Map<string, { path: string; name: string }>();
  for (const [, type, clause = '', specifier = ''] of code.matchAll(IMPORT)) {
    const bindings = readClause(clause);
    const isType = type !== undefined || (bindings.length > 0 && bindings.every(binding => binding.isType));
    const target = resolve(specifier);
    imports.push({
      ...{
        specifier,
        path: target,
        kind: isType ? 'type' : 'value',
        names: bindings.map(({ name }) => name),
      },
    });
    if (target === undefined) continue;
    for (const { name, alias } of bindings) imported.set(alias, { path: target, name });
  }
  for (const [, type, specifier = ''] of code.matchAll(LAZY_IMPORT)) {
    const kind = type === undefined ? 'lazy' : 'type';
    imports.push({ specifier, path: resolve(specifier), kind, names: ['*'] });
  }
  const exports = new Set([...code.matchAll(DECLARATION)].map(match => match[1] ?? ''));
  const handedOn = new Map<string, { path: string; name: string }>();
  for (const [, type, list = '', specifier] of code.matchAll(EXPORT_LIST)) {
    const bindings = readClause(list);
    if (specifier === undefined) {
      for (const { name, alias } of bindings) {
        const origin = imported.get(name);
        if (origin) handedOn.set(alias, origin);
        else exports.add(alias);
      }
      continue;
    }
    const target = resolve(specifier);
    const names = bindings.map(({ name }) => name);
    imports.push({ specifier, path: target, kind: type === undefined ? 'value' : 'type', names });
    if (target === undefined) continue;
    for (const { name, alias } of bindings) handedOn.set(alias, { path: target, name });
  }
  return { path: file, text, exports: [...exports], imports, handedOn };
}

interface Binding {
  /** In the other file. */
  readonly name: string;
  /** In this one. */
  readonly alias: string;
  readonly isType: boolean;
}

/** `a, { b as c, type D }`, or `* as e`. */
function readClause(clause: string): readonly Binding[] {
  const [outside = '', inside = ''] = clause.split(/[{}]/);
  const named = split(inside).map(entry => {
    const [name = '', alias = name] = entry.replace(/^type /, '').split(' as ');
    return { name, alias, isType: entry.startsWith('type ') };
  });
  const whole = split(outside).map(entry => {
    const [name = '', alias] = entry.split(' as ');
    return { name: name === '*' ? '*' : 'default', alias: alias ?? name, isType: false };
  });
  return [...whole, ...named];
}

const split = (list: string) =>
  list
    .split(',')
    .map(entry => entry.trim())
    .filter(entry => entry !== '');
