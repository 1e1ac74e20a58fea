import { destroyFlags, destroyStage } from './destroy-stage.ts';
import { runTool } from './run-tool.ts';

await runTool(
  {
    name: 'destroy',
    summary: 'says what of a stage would go, and where; with --yes deletes it',
    flags: destroyFlags,
  },
  (world, { stage = 'dev', config, example = false, yes }) =>
    destroyStage(world, { stage, config, example, yes: yes ?? false }),
);
