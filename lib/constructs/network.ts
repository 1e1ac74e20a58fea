import {
  CfnSecurityGroupIngress,
  InterfaceVpcEndpoint,
  InterfaceVpcEndpointAwsService,
  type ISecurityGroup,
  type IVpc,
  Peer,
  Port,
  SecurityGroup,
  type SelectedSubnets,
  type SubnetSelection,
} from 'aws-cdk-lib/aws-ec2';
import { Construct } from 'constructs';
import { UsageError } from '../core/errors.ts';
import type { ModelDefinition } from '../core/model.ts';
import type { CertificateAuthority } from './certificate-authority.ts';

/**
 * The user's database, which exists already.
 * Nothing here makes, changes or deletes a database.
 */
export interface PipelineDatabase {
  readonly host: string;
  /**
   * Port of the server.
   * @default 5432
   */
  readonly port?: number;
  /** Name of the database. */
  readonly name: string;
  /**
   * ARN of a secret of Secrets Manager: JSON with `username` and `password`.
   * Give this or `iam`.
   */
  readonly secretArn?: string;
  /**
   * ARN of the KMS key of this secret, and of those of models and alarms that name none.
   * @default the account's key for Secrets Manager
   */
  readonly secretKeyArn?: string;
  /**
   * IAM authentication as a user that has `rds_iam`.
   * `resourceId` is the id of the cluster, instance or proxy.
   */
  readonly iam?: { readonly user: string; readonly resourceId: string };
  /**
   * The security group of the database, which gets a rule that lets the functions in.
   * @default none: the database is outside of the VPC, and lets the functions in by itself
   */
  readonly securityGroup?: ISecurityGroup;
  /**
   * The authority that signs the server's certificate; `proxy` where the host is an RDS Proxy.
   * @default rds
   */
  readonly certificateAuthority?: CertificateAuthority;
  /**
   * Connections that the functions may hold together.
   * @default 60
   */
  readonly maxConnections?: number;
}

interface PipelineNetworkProps {
  readonly vpc: IVpc;
  readonly vpcSubnets: SubnetSelection;
  readonly ipv6: boolean;
  /** Makes the interface endpoints of the services that the functions call. */
  readonly endpoints: boolean;
  readonly database: PipelineDatabase;
  readonly models: readonly ModelDefinition[];
}

/** Port of PostgreSQL where `PipelineDatabase` names none. */
export const DEFAULT_DATABASE_PORT = 5432;

export const HTTPS_PORT = 443;

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
    requirePrivateSubnets(props.vpc, props.vpcSubnets);
    this.ipv6 = props.ipv6;
    const { securityGroup: databaseGroup, port = DEFAULT_DATABASE_PORT } = props.database;
    const group = new SecurityGroup(this, 'SecurityGroup', {
      vpc: props.vpc,
      description: 'Functions of Freshet: to the database, to AWS, to the models',
      allowAllOutbound: false,
    });
    if (databaseGroup !== undefined) group.addEgressRule(databaseGroup, Port.tcp(port), 'the database');
    const openTo = (openPort: number, purpose: string) => {
      group.addEgressRule(Peer.anyIpv4(), Port.tcp(openPort), purpose);
      if (props.ipv6) group.addEgressRule(Peer.anyIpv6(), Port.tcp(openPort), `${purpose}, by IPv6`);
    };
    const endpointPorts = new Set([HTTPS_PORT, ...props.models.map(endpointPortOf)]);
    for (const endpointPort of endpointPorts) openTo(endpointPort, 'AWS and the models');
    if (databaseGroup === undefined && !endpointPorts.has(port))
      openTo(port, 'the database, outside of the VPC');
    if (databaseGroup !== undefined)
      new CfnSecurityGroupIngress(this, 'DatabaseIngress', {
        groupId: databaseGroup.securityGroupId,
        sourceSecurityGroupId: group.securityGroupId,
        ipProtocol: 'tcp',
        fromPort: port,
        toPort: port,
        description: 'Functions of Freshet',
      });
    this.securityGroup = group;
    if (props.endpoints) this.#addEndpoints(props.models);
  }

  /**
   * Adds an endpoint of each service that a function has a right to call, but for S3.
   * S3 has a gateway endpoint, which is free and belongs to route tables. Logs and traces are sent
   * by Lambda, outside of the VPC.
   */
  #addEndpoints(models: readonly ModelDefinition[]): void {
    const { SQS, SECRETS_MANAGER, LAMBDA, SAGEMAKER_RUNTIME } = InterfaceVpcEndpointAwsService;
    const callsSageMaker = models.some(({ endpointName }) => endpointName !== undefined);
    const securityGroup = new SecurityGroup(this, 'EndpointGroup', {
      vpc: this.vpc,
      description: 'Endpoints of AWS, for the functions of Freshet',
      allowAllOutbound: false,
    });
    securityGroup.addIngressRule(this.securityGroup, Port.tcp(HTTPS_PORT), 'Functions of Freshet');
    const services = { SQS, SECRETS_MANAGER, LAMBDA, ...(callsSageMaker && { SAGEMAKER_RUNTIME }) };
    for (const [name, service] of Object.entries(services))
      new InterfaceVpcEndpoint(this, `Endpoint-${name}`, {
        vpc: this.vpc,
        service,
        subnets: { ...this.vpcSubnets, onePerAz: true },
        securityGroups: [securityGroup],
        open: false,
      });
  }
}

/**
 * Refuses subnets from which a function reaches nothing, or that the network does not have.
 * @throws UsageError names the prop, and what to choose
 */
function requirePrivateSubnets(vpc: IVpc, selection: SubnetSelection): void {
  const remedy =
    'Give `vpcSubnets` private subnets that reach AWS and the provider: { subnetType: ' +
    'SubnetType.PRIVATE_WITH_EGRESS } behind a NAT, or SubnetType.PRIVATE_ISOLATED with `endpoints: true` ' +
    'and models inside of AWS.';
  let chosen: SelectedSubnets;
  try {
    chosen = vpc.selectSubnets(selection);
  } catch (error) {
    const { message } = error as Error;
    throw new UsageError(`The functions have no subnets (prop \`vpcSubnets\`): ${message}.`, remedy);
  }
  if (chosen.hasPublic)
    throw new UsageError(
      'The prop `vpcSubnets` chooses public subnets, where a function has no way out.',
      remedy,
    );
}

/** The port of a model's endpoint, as its `baseUrl` says or implies. */
function endpointPortOf({ baseUrl }: ModelDefinition): number {
  const url = baseUrl === undefined ? null : URL.parse(baseUrl);
  if (url === null) return HTTPS_PORT;
  return url.port === '' ? (url.protocol === 'http:' ? 80 : HTTPS_PORT) : Number(url.port);
}
