import { ArnFormat, Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IAlias } from 'aws-cdk-lib/aws-lambda';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import type { ModelDefinition } from '../core/model.ts';
import type { PipelineDatabase } from './network.ts';
import type { QueuePair } from './queues.ts';
import { secretStatements } from './secrets.ts';

/** The rights that a function needs to log in to the database. */
export function databaseStatements(scope: Construct, database: PipelineDatabase): PolicyStatement[] {
  if (database.secretArn !== undefined)
    return secretStatements(scope, [{ ...database, secretArn: database.secretArn }]);
  if (database.iam === undefined) return [];
  const { user, resourceId } = database.iam;
  const resource = Stack.of(scope).formatArn({
    service: 'rds-db',
    resource: 'dbuser',
    resourceName: `${resourceId}/${user}`,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
  return [new PolicyStatement({ actions: ['rds-db:connect'], resources: [resource] })];
}

/** The right to call the endpoints of SageMaker that serve models. */
export function endpointStatements(scope: Construct, models: readonly ModelDefinition[]): PolicyStatement[] {
  const arnOf = (resource: string, resourceName: string) =>
    Stack.of(scope).formatArn({
      service: 'sagemaker',
      resource,
      resourceName: resourceName.toLowerCase(),
      arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
    });
  const resources = models.flatMap(({ endpointName, inferenceComponentName }) => [
    ...(endpointName === undefined ? [] : [arnOf('endpoint', endpointName)]),
    ...(inferenceComponentName === undefined ? [] : [arnOf('inference-component', inferenceComponentName)]),
  ]);
  if (resources.length === 0) return [];
  return [new PolicyStatement({ actions: ['sagemaker:InvokeEndpoint'], resources })];
}

/** The right to start the live version of a function. */
export function startStatement(alias: IAlias): PolicyStatement {
  return new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [alias.functionArn] });
}

/** What Lambda does with the queues in the function's name, and what giving back takes. */
export function consumeStatement(queues: readonly IQueue[]): PolicyStatement {
  const actions = ['ReceiveMessage', 'DeleteMessage', 'ChangeMessageVisibility', 'GetQueueAttributes'];
  return queueStatement(
    actions.map(action => `sqs:${action}`),
    queues,
  );
}

/**
 * Finding the dead-letter queues of queues, looking at letters one by one, sending again what they
 * are about, and deleting those that were sent; the others come back sooner.
 */
export function redriveStatements(pairs: readonly Pick<QueuePair, 'queue' | 'deadLetterQueue'>[]) {
  const letterActions = ['GetQueueUrl', 'ReceiveMessage', 'DeleteMessage', 'ChangeMessageVisibility'];
  return [
    queueStatement(
      ['sqs:SendMessage', 'sqs:GetQueueAttributes'],
      pairs.map(({ queue }) => queue),
    ),
    queueStatement(
      letterActions.map(action => `sqs:${action}`),
      pairs.map(({ deadLetterQueue }) => deadLetterQueue),
    ),
  ];
}

export function sendStatement(queues: readonly IQueue[]): PolicyStatement {
  return queueStatement(['sqs:SendMessage'], queues);
}

function queueStatement(actions: string[], queues: readonly IQueue[]): PolicyStatement {
  return new PolicyStatement({ actions, resources: queues.map(queue => queue.queueArn) });
}
