import { deployFlags, deployStage } from './deploy-stage.ts';
import { runTool } from './run-tool.ts';

await runTool(
  {
    name: 'deploy',
    summary: 'says account and region, deploys a stage, prints what came of it',
    flags: deployFlags,
  },
  (world, { stage = 'dev', config, example = false, paused, yes }) =>
    deployStage(world, { stage, config, example, paused: paused ?? false, yes: yes ?? false }),
);
