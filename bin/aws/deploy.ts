import { switchFlag } from '../terminal/flag.ts';
import { deployStage } from './deploy-stage.ts';
import { runTool } from './run-tool.ts';
import { stageFlags } from './stage-options.ts';

const flags = {
  ...stageFlags,
  paused: switchFlag('with schedules and event sources switched off'),
  yes: switchFlag('does not ask before it widens a right or opens a network'),
};

await runTool(flags, (world, { stage = 'dev', config, example = false, paused, yes }) =>
  deployStage(world, { stage, config, example, paused: paused ?? false, yes: yes ?? false }),
);
