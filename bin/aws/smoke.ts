import { switchFlag } from '../terminal/flag.ts';
import { runTool } from './run-tool.ts';
import { smokeStage } from './smoke-stage.ts';
import { stageFlags } from './stage-options.ts';

const { stage, region, profile } = stageFlags;
const flags = { stage, region, profile, keep: switchFlag('leaves everything deployed') };

await runTool(flags, (world, { stage: name = 'smoke', keep }) =>
  smokeStage(world, { stage: name, keep: keep ?? false }),
);
