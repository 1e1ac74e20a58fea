import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { WrittenTemplate } from '../templates/every-template.ts';

export interface Finding {
  readonly linter: 'cfn-lint' | 'checkov';
  readonly rule: string;
  /** Name of the template. */
  readonly template: string;
  /** Logical id, without the hash that the CDK puts at its end; empty where no resource is meant. */
  readonly resource: string;
  readonly message: string;
}

const SUFFIX = '.template.json';

/**
 * Runs both linters side by side on templates, which are written to `folder`.
 * `programs` is the folder of their programs.
 * @throws Error where a linter says nothing that can be read
 */
export async function runLinters(
  programs: string,
  folder: string,
  templates: readonly WrittenTemplate[],
): Promise<readonly Finding[]> {
  mkdirSync(folder, { recursive: true });
  const files = templates.map(({ name, body }) => {
    const file = path.join(folder, `${name}${SUFFIX}`);
    writeFileSync(file, JSON.stringify(body, null, 1));
    return file;
  });
  const found = await Promise.all([runCfnLint(programs, files), runCheckov(programs, files)]);
  return found.flat();
}

async function runCfnLint(programs: string, files: readonly string[]): Promise<Finding[]> {
  const output = await read(path.join(programs, 'cfn-lint'), ['--format', 'json', '--', ...files]);
  interface Match {
    readonly Filename: string;
    readonly Message: string;
    readonly Rule: { readonly Id: string };
    readonly Location: { readonly Path: readonly (string | number)[] | null };
  }
  return (JSON.parse(output) as Match[]).map(({ Filename, Message, Rule, Location }) => ({
    linter: 'cfn-lint',
    rule: Rule.Id,
    template: path.basename(Filename, SUFFIX),
    resource: plainId(String(Location.Path?.[1] ?? '')),
    message: Message,
  }));
}

async function runCheckov(programs: string, files: readonly string[]): Promise<Finding[]> {
  const output = await read(path.join(programs, 'checkov'), [
    ...['--framework', 'cloudformation', '--output', 'json', '--compact', '--quiet', '--skip-download'],
    ...files.flatMap(file => ['--file', file]),
  ]);
  interface Check {
    readonly check_id: string;
    readonly check_name: string;
    readonly file_path: string;
    readonly resource: string;
  }
  interface Report {
    readonly summary: { readonly parsing_errors: number };
    readonly results: { readonly failed_checks: readonly Check[] };
  }
  const { summary, results } = JSON.parse(output) as Report;
  if (summary.parsing_errors > 0)
    throw new Error(`checkov could not read ${summary.parsing_errors} templates`);
  return results.failed_checks.map(({ check_id, check_name, file_path, resource }) => ({
    linter: 'checkov',
    rule: check_id,
    template: path.basename(file_path, SUFFIX),
    resource: plainId(resource.split('.')[1] ?? ''),
    message: check_name,
  }));
}

const plainId = (id: string): string => id.replace(/[0-9A-F]{8}$/, '');

/** What a linter writes; it ends with a code of its own where it finds something. */
function read(program: string, words: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, words, { maxBuffer: 64 * 1024 * 1024 }, (error, output, complaints) => {
      if (output === '') reject(error ?? new Error(`${program} says nothing: ${complaints}`));
      else resolve(output);
    });
  });
}
