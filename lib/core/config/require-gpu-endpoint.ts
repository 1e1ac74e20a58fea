import { UsageError } from '../errors/usage-error.ts';
import type { AwsStage } from './aws-schema.ts';
import { formatPath } from './describe-issues.ts';
import type { GpuSection } from './gpu-schema.ts';
import type { PipelineConfig } from './pipeline-config.ts';
import { findTeiImage, TEI_IMAGE_ACCOUNTS, type TeiImage } from './tei-images.ts';

/** Regions that refused a `MinInstanceCount` of 0 in August 2026, while us-east-1 took it. */
const REGIONS_WITHOUT_SCALE_TO_ZERO: readonly string[] = ['eu-west-3'];

/** What the stack of a GPU endpoint is made from. */
export interface GpuEndpoint {
  readonly region: string;
  readonly image: TeiImage;
  readonly endpointName: string;
  readonly inferenceComponentName: string;
  /** The most texts that the adapter may put into one call. Undefined: the usual number. */
  readonly maxTextsPerCall: number | undefined;
}

/**
 * Resolves the section `gpu` of a stage to an endpoint that can be deployed and started.
 * @throws UsageError lists every problem with its remedy
 */
export function requireGpuEndpoint(
  config: PipelineConfig,
  stageName: string,
  { region }: Pick<AwsStage, 'region'>,
  gpu: GpuSection,
): GpuEndpoint {
  const path = (...keys: string[]) => formatPath(['aws', 'stages', stageName, ...keys]);
  const image = region === undefined ? undefined : findTeiImage(region, gpu.teiVersion);
  const model = Object.hasOwn(config.models, gpu.model) ? config.models[gpu.model] : undefined;
  const problems = [
    ...(image === undefined ? [describeRegion(region, path('region'))] : []),
    ...findCopyProblems(gpu, region, path),
  ];
  const modelPath = (key: string) => formatPath(['models', gpu.model, key]);
  if (model === undefined)
    problems.push(`${path('gpu', 'model')}: "${gpu.model}" is no model: name one of the section models.`);
  else if (model.provider !== 'sagemaker')
    problems.push(
      `${path('gpu', 'model')}: the model ${gpu.model} has provider "${model.provider}": give it "sagemaker" at ${modelPath('provider')}, with endpointName and inferenceComponentName.`,
    );
  else {
    if (!isName(model.endpointName)) problems.push(describeName(modelPath('endpointName')));
    if (!isName(model.inferenceComponentName))
      problems.push(describeName(modelPath('inferenceComponentName')));
  }
  const { endpointName, inferenceComponentName, limits } = model ?? {};
  if (
    problems.length > 0 ||
    region === undefined ||
    image === undefined ||
    endpointName === undefined ||
    inferenceComponentName === undefined
  )
    throw new UsageError(
      `The GPU endpoint of stage ${stageName} cannot be deployed:\n${problems.map(problem => `  ${problem}`).join('\n')}`,
    );
  return { region, image, endpointName, inferenceComponentName, maxTextsPerCall: limits?.maxTextsPerCall };
}

function describeRegion(region: string | undefined, path: string): string {
  const known = Object.keys(TEI_IMAGE_ACCOUNTS).join(', ');
  return region === undefined
    ? `${path} is missing, and the image depends on it: choose one of ${known}.`
    : `The embedding image is not known in ${region}: choose one of ${known} at ${path}.`;
}

function findCopyProblems(
  { minCopies, maxCopies }: GpuSection,
  region: string | undefined,
  path: (...keys: string[]) => string,
): string[] {
  const problems: string[] = [];
  if (minCopies > maxCopies)
    problems.push(
      `${path('gpu', 'maxCopies')} is ${maxCopies}, less than minCopies ${minCopies}: raise one or lower the other.`,
    );
  if (minCopies === 0 && region !== undefined && REGIONS_WITHOUT_SCALE_TO_ZERO.includes(region))
    problems.push(
      `SageMaker in ${region} does not scale to zero: set ${path('gpu', 'minCopies')} to 1 (an instance that is always paid), or choose another region.`,
    );
  return problems;
}

/** Whether SageMaker takes a text as the name of an endpoint or a component. */
function isName(name: string | undefined): boolean {
  return name !== undefined && /^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$/.test(name);
}

function describeName(path: string): string {
  return `${path} is what the stack will be asked to make: give letters, digits and single dashes, at most 63, such as "embeddings-e5".`;
}
