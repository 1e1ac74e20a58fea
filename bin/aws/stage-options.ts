import { switchFlag, textFlag } from '../terminal/flag.ts';

/** Of every one of these commands. */
export const stageFlags = {
  stage: textFlag('NAME', 'the stage'),
  config: textFlag('FILE', 'another configuration than freshet.config.ts'),
  region: textFlag('REGION', 'another region than that of the environment'),
  profile: textFlag('NAME', 'the profile whose credentials are used'),
  example: switchFlag('with the example database'),
};

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

export function contextOf({ stage, config, example }: StageOptions): string[] {
  return [
    ...['-c', `stage=${stage}`],
    ...(config === undefined ? [] : ['-c', `config=${config}`]),
    ...(example ? ['-c', 'example=true'] : []),
  ];
}
