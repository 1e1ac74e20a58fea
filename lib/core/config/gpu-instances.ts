/**
 * SageMaker's instances with one GPU that the embedding image was built for.
 * Their GPUs are NVIDIA's T4, A10G and L4 (compute capability 7.5, 8.6 and 8.9).
 */
export const GPU_INSTANCE_TYPES = [
  'ml.g4dn.xlarge',
  'ml.g4dn.2xlarge',
  'ml.g5.xlarge',
  'ml.g5.2xlarge',
  'ml.g5.4xlarge',
  'ml.g6.xlarge',
  'ml.g6.2xlarge',
  'ml.g6.4xlarge',
] as const;
