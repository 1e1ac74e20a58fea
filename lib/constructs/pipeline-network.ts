import {
  CfnSecurityGroupIngress,
  type ISecurityGroup,
  type IVpc,
  Peer,
  Port,
  SecurityGroup,
  type SubnetSelection,
} from 'aws-cdk-lib/aws-ec2';
import { Construct } from 'constructs';
import type { ModelDefinition } from '../core/model/space.ts';
import type { PipelineDatabase } from './database-access.ts';

export interface PipelineNetworkProps {
  readonly vpc: IVpc;
  readonly vpcSubnets: SubnetSelection;
  readonly ipv6: boolean;
  readonly database: PipelineDatabase;
  readonly models: readonly ModelDefinition[];
}

const HTTPS = 443;

/**
 * One security group for all functions.
 * Out go connections to the database, and to the ports of AWS and of the models' endpoints. Nothing
 * comes in.
 */
export class PipelineNetwork extends Construct {
  readonly vpc: IVpc;
  readonly vpcSubnets: SubnetSelection;
  readonly ipv6: boolean;
  readonly securityGroup: ISecurityGroup;

  constructor(scope: Construct, id: string, props: PipelineNetworkProps) {
    super(scope, id);
    this.vpc = props.vpc;
    this.vpcSubnets = props.vpcSubnets;
    this.ipv6 = props.ipv6;
    const { securityGroup: databaseGroup, port = 5432 } = props.database;
    const group = new SecurityGroup(this, 'SecurityGroup', {
      vpc: props.vpc,
      description: 'Functions of Freshet: to the database, to AWS, to the models',
      allowAllOutbound: false,
    });
    group.addEgressRule(databaseGroup, Port.tcp(port), 'the database');
    for (const endpointPort of new Set([HTTPS, ...props.models.map(endpointPortOf)])) {
      group.addEgressRule(Peer.anyIpv4(), Port.tcp(endpointPort), 'AWS and the models');
      if (props.ipv6)
        group.addEgressRule(Peer.anyIpv6(), Port.tcp(endpointPort), 'AWS and the models, by IPv6');
    }
    new CfnSecurityGroupIngress(this, 'DatabaseIngress', {
      groupId: databaseGroup.securityGroupId,
      sourceSecurityGroupId: group.securityGroupId,
      ipProtocol: 'tcp',
      fromPort: port,
      toPort: port,
      description: 'Functions of Freshet',
    });
    this.securityGroup = group;
  }
}

function endpointPortOf({ baseUrl }: ModelDefinition): number {
  const url = baseUrl === undefined ? null : URL.parse(baseUrl);
  if (url === null) return HTTPS;
  return url.port === '' ? (url.protocol === 'http:' ? 80 : HTTPS) : Number(url.port);
}
