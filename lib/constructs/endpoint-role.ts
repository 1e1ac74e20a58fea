import { ArnFormat, Stack } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import type { TeiImage } from '../core/config/tei-images.ts';
import { acknowledgeResource } from './acknowledge-resource.ts';
import type { ModelStore } from './model-bucket.ts';

export interface EndpointRoleProps {
  readonly bucket: ModelStore;
  /** The prefix of the model's objects. Ends with a slash. */
  readonly modelPrefix: string;
  readonly image: TeiImage;
}

/**
 * The role by which SageMaker works for the endpoint.
 * SageMaker pulls one image, reads one model, and writes logs and metrics.
 */
export class EndpointRole extends Construct {
  readonly role: Role;

  constructor(scope: Construct, id: string, { bucket, modelPrefix, image }: EndpointRoleProps) {
    super(scope, id);
    const { account, region, partition } = Stack.of(this);
    this.role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('sagemaker.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': account } },
      }),
      description: 'Freshet: what SageMaker does for the embedding endpoint',
    });
    const logGroups = Stack.of(this).formatArn({
      service: 'logs',
      resource: 'log-group',
      resourceName: '/aws/sagemaker/*',
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
    const objects = bucket.arnForObjects(`${modelPrefix}*`);
    const statements = [
      new PolicyStatement({
        actions: ['s3:GetObject'],
        resources: [objects],
      }),
      new PolicyStatement({
        actions: ['s3:ListBucket'],
        resources: [bucket.bucketArn],
        conditions: { StringLike: { 's3:prefix': `${modelPrefix}*` } },
      }),
      new PolicyStatement({
        actions: ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
        resources: [`arn:${partition}:ecr:${region}:${image.account}:repository/${image.repository}`],
      }),
      new PolicyStatement({ actions: ['ecr:GetAuthorizationToken'], resources: ['*'] }),
      new PolicyStatement({
        actions: [
          'logs:CreateLogGroup',
          'logs:CreateLogStream',
          'logs:DescribeLogStreams',
          'logs:PutLogEvents',
        ],
        resources: [logGroups],
      }),
      new PolicyStatement({
        actions: ['cloudwatch:PutMetricData'],
        resources: ['*'],
        conditions: {
          StringEquals: {
            'cloudwatch:namespace': [
              'AWS/SageMaker',
              '/aws/sagemaker/Endpoints',
              '/aws/sagemaker/InferenceComponents',
            ],
          },
        },
      }),
    ];
    for (const statement of statements) this.role.addToPolicy(statement);
    acknowledgeResource(
      this.role,
      objects,
      'All objects under the digest of the one model; SageMaker lists and reads them.',
    );
    acknowledgeResource(this.role, logGroups, 'SageMaker names the log groups of its endpoints itself.');
    acknowledgeResource(
      this.role,
      '*',
      'A token of the registry and metrics have no resource to name; the metrics are bound to three namespaces.',
    );
  }
}
