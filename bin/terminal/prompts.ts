import type { Readable, Writable } from 'node:stream';
import { UsageError } from '../../lib/core/errors.ts';
import { escapeControls } from './formats.ts';

/** An answer that can be chosen. Label and hint can be foreign text. */
export interface Option<Value> {
  readonly value: Value;
  readonly label: string;
  readonly hint?: string | undefined;
}

/** Questions to a person. Each rejects with `UsageError` where the person breaks off. */
export interface Prompts {
  chooseOne<Value extends string | number>(
    question: string,
    options: readonly Option<Value>[],
  ): Promise<Value>;
  /** Resolves with one value or more, in the order of the options; `initial` are marked first. */
  chooseSome(
    question: string,
    options: readonly Option<string>[],
    initial: readonly string[],
  ): Promise<readonly string[]>;
  /** `proposed` is the answer where none is typed. */
  askText(question: string, proposed: string): Promise<string>;
}

/** Options that are shown at once. */
const SHOWN_OPTIONS = 12;

/**
 * Questions on a terminal, answered with the arrow keys.
 * They stand on standard error, so that standard output carries the result alone.
 */
export async function openPrompts(
  input: Readable = process.stdin,
  output: Writable = process.stderr,
): Promise<Prompts> {
  const { isCancel, multiselect, select, text } = await import('@clack/prompts');
  const streams = { input, output };
  const answered = <Answer>(answer: Answer): Exclude<Answer, symbol> => {
    if (isCancel(answer)) throw new UsageError('Nothing was written.');
    return answer as Exclude<Answer, symbol>;
  };
  return {
    chooseOne: async (question, options) => {
      const message = escapeControls(question);
      const shown = options.map((option, index) => ({ ...escapeOption(option), value: index }));
      const index = answered(await select({ ...streams, message, options: shown, maxItems: SHOWN_OPTIONS }));
      return options[index]!.value;
    },
    chooseSome: async (question, options, initial) => {
      const marked = options.flatMap(({ value }, index) => (initial.includes(value) ? [index] : []));
      const indexes = answered(
        await multiselect({
          ...streams,
          message: escapeControls(question),
          options: options.map((option, index) => ({ ...escapeOption(option), value: index })),
          initialValues: marked,
          required: true,
          maxItems: SHOWN_OPTIONS,
        }),
      );
      return indexes.toSorted((left, right) => left - right).map(index => options[index]!.value);
    },
    askText: async (question, proposed) => {
      const message = escapeControls(question);
      const answer = answered(
        await text({ ...streams, message, placeholder: proposed, defaultValue: proposed }),
      );
      return answer.trim() === '' ? proposed : answer.trim();
    },
  };
}

function escapeOption({ label, hint }: Option<unknown>): { label: string; hint?: string } {
  return { label: escapeControls(label), ...(hint !== undefined && { hint: escapeControls(hint) }) };
}
