import { runTool } from './run-tool.ts';
import { smokeFlags, smokeStage } from './smoke-stage.ts';

await runTool(
  {
    name: 'smoke',
    summary: 'deploys the example database with a pipeline on it, proves it from outside, destroys it',
    flags: smokeFlags,
  },
  (world, { stage = 'smoke', keep }) => smokeStage(world, { stage, keep: keep ?? false }),
);
