import module, { type RegisterHooksOptions } from 'node:module';
import { pathToFileURL } from 'node:url';
import { defineConfig } from '../core/config/define-config.ts';
import { findOwnFile } from './own-files.ts';

/**
 * Imports a file of somebody's project, JavaScript or TypeScript, whatever kind of project it is.
 * Node loads what it can. What it cannot is compiled by `jiti`: modules where `package.json` says
 * CommonJS and the other way round, imports without an extension, TypeScript that is more than
 * types, and every TypeScript where stripping is off. What was compiled is kept.
 * @throws what the file throws, or why it does not compile
 */
export async function importFile(file: string): Promise<Record<string, unknown>> {
  try {
    return await withoutHints(() => withOwnName(() => import(pathToFileURL(file).href)));
  } catch (error) {
    if (!isOfLoading(error)) throw error;
    const { createJiti } = await import('jiti');
    const jiti = createJiti(file, {
      fsCache: findOwnFile('.cache/configurations'),
      moduleCache: false,
      virtualModules: { freshet: { defineConfig } },
    });
    return await jiti.import<Record<string, unknown>>(file).catch(second => {
      // Node names the line of bad syntax; but what hindered Node alone was not the fault.
      const isOfNode = isOfKind(error) || !(error instanceof SyntaxError || isOfLoading(second));
      throw isOfNode ? second : error;
    });
  }
}

/**
 * Lets a configuration import `freshet` wherever it lies, as a copied example does.
 * An installed package is found in the ordinary way and wins. A clone that was not built and a
 * folder without `node_modules` get the one function that a configuration needs.
 */
const OWN_NAME: RegisterHooksOptions = {
  resolve(specifier, context, next) {
    if (specifier !== 'freshet' || !context.conditions.includes('import')) return next(specifier, context);
    try {
      return next(specifier, context);
    } catch {
      const source = `export const defineConfig = ${defineConfig};`;
      return { url: `data:text/javascript,${encodeURIComponent(source)}`, shortCircuit: true };
    }
  },
};

async function withOwnName<Result>(load: () => Promise<Result>): Promise<Result> {
  const hooks = module.registerHooks(OWN_NAME);
  try {
    return await load();
  } finally {
    hooks.deregister();
  }
}

/** Node could not load the file, or one that it imports; what the file itself throws is not so. */
function isOfLoading(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return error instanceof SyntaxError || isOfKind(error) || /^(ERR_|MODULE_NOT_FOUND$)/.test(code);
}

/** Node took a module for CommonJS, CommonJS for a module, or refused TypeScript or a folder. */
function isOfKind(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (
    'code' in error &&
    /^ERR_(UNKNOWN_FILE_EXTENSION|UNSUPPORTED_(TYPESCRIPT|DIR_IMPORT))/.test(String(error.code))
  )
    return true;
  return (
    /outside a module|^Unexpected token 'export'|import\.meta/.test(error.message) ||
    (error instanceof ReferenceError &&
      /^(require|module|exports|__dirname|__filename) is not defined/.test(error.message))
  );
}

/** What Node hints at while it loads such a file, and nobody who gives a command can change. */
const HINT = /MODULE_TYPELESS_PACKAGE_JSON|ExperimentalWarning|\bFailed to load the ES module/;

/** Node emits some warnings at once, and others with the next tick. */
async function withoutHints<Result>(load: () => Promise<Result>): Promise<Result> {
  const { emitWarning, emit } = process;
  const unlessHint = (original: (...words: never[]) => unknown) =>
    function (this: unknown, ...words: readonly unknown[]) {
      return words.some(word => HINT.test(describeWarning(word))) || Reflect.apply(original, this, words);
    };
  process.emitWarning = unlessHint(emitWarning) as typeof emitWarning;
  process.emit = unlessHint(emit) as typeof emit;
  try {
    return await load();
  } finally {
    Object.assign(process, { emitWarning, emit });
  }
}

function describeWarning(part: unknown): string {
  if (typeof part === 'string') return part;
  if (typeof part !== 'object' || part === null) return '';
  const { message, name, type, code } = part as Record<'message' | 'name' | 'type' | 'code', unknown>;
  return [message, name, type, code].join(' ');
}
