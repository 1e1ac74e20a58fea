import * as z from 'zod';
import { GPU_INSTANCE_TYPES } from './gpu-instances.ts';
import { wholeNumber, word, wordLike } from './schema-leaves.ts';
import { TEI_VERSIONS } from './tei-images.ts';

const instanceExpectation = `expected an instance with one GPU: ${GPU_INSTANCE_TYPES.join(', ')}`;

/**
 * The optional section `gpu` of a stage.
 * It makes an endpoint of SageMaker that serves one model of the configuration.
 */
export const gpuSection = z.strictObject(
  {
    /**
     * Alias of a model whose provider is `sagemaker`.
     * The stack names the endpoint and its component by `endpointName` and
     * `inferenceComponentName`.
     */
    model: word('expected the alias of a model'),
    instanceType: z.enum(GPU_INSTANCE_TYPES, { error: instanceExpectation }).default('ml.g5.xlarge'),
    teiVersion: z
      .enum(TEI_VERSIONS, { error: `expected one of ${TEI_VERSIONS.join(', ')}` })
      .default('1.9.4'),
    /**
     * Prefix under which `freshet models publish` put the weights.
     * Undefined: only the bucket for them is made.
     */
    modelPrefix: wordLike(
      /^(\w[\w.-]*\/)*[0-9a-f]{64}\/$/,
      'expected a prefix as `freshet models publish` prints it: models/<64 hexadecimal digits>/',
    ).optional(),
    /** An existing bucket in the stage's region. Undefined: the stack makes one. */
    modelBucket: wordLike(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'expected the name of a bucket').optional(),
    /** Least number of copies. With 0, no instance runs and is billed while nobody asks. */
    minCopies: wholeNumber(0, 100).default(0),
    maxCopies: wholeNumber(1, 100).default(1),
    /**
     * Calls in flight that one copy is meant to have.
     * More calls add a copy, up to `maxCopies`.
     */
    callsPerCopy: wholeNumber(1, 1000).default(5),
  },
  { error: 'expected an object such as { model: "e5", modelPrefix: "models/…/" }' },
);

export type GpuSection = z.output<typeof gpuSection>;
