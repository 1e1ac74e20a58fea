import { switchFlag } from '../terminal/flag.ts';
import { destroyStage } from './destroy-stage.ts';
import { runTool } from './run-tool.ts';
import { stageFlags } from './stage-options.ts';

const flags = { ...stageFlags, yes: switchFlag('deletes; without it nothing is done') };

await runTool(flags, (world, { stage = 'dev', config, example = false, yes }) =>
  destroyStage(world, { stage, config, example, yes: yes ?? false }),
);
