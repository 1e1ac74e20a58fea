import { STAGE_NAME, STAGE_NAME_EXPECTATION } from '../../lib/core/config/aws-schema.ts';
import { UsageError } from '../../lib/core/errors.ts';
import { type Flag, switchFlag, textFlag } from '../terminal/flag.ts';

/** Of every one of these commands. */
export const stageFlags = {
  stage: stageFlag(),
  config: textFlag('FILE', 'another configuration than freshet.config.ts'),
  region: textFlag('REGION', 'another region than that of the environment'),
  profile: textFlag('NAME', 'the profile whose credentials are used'),
  example: switchFlag('with the example database'),
};

export const helpFlag = { help: switchFlag('this text') };

function stageFlag(): Flag<string> {
  const flag = textFlag('NAME', 'the stage');
  return {
    ...flag,
    read: (text, name) => {
      if (STAGE_NAME.test(text)) return text;
      throw new UsageError(`--${name} ${JSON.stringify(text)}: expected ${STAGE_NAME_EXPECTATION}.`);
    },
  };
}

export interface StageOptions {
  readonly stage: string;
  readonly config?: string | undefined;
  /** With the example database. */
  readonly example: boolean;
}

/** The pipeline's stack last. */
export function stacksOf({ stage, example }: StageOptions): string[] {
  return [...(example ? [`freshet-${stage}-database`] : []), `freshet-${stage}`];
}

/** Of the GPU endpoint, which a stage of the configuration may have: `cdk deploy` brings it up before the pipeline's stack, which depends on it. */
export function gpuStackOf({ stage }: Pick<StageOptions, 'stage'>): string {
  return `freshet-${stage}-gpu`;
}

export function contextOf({ stage, config, example }: StageOptions): string[] {
  return [
    ...['-c', `stage=${stage}`],
    ...(config === undefined ? [] : ['-c', `config=${config}`]),
    ...(example ? ['-c', 'example=true'] : []),
  ];
}
