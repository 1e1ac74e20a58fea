interface Acknowledgement {
  readonly linter: 'cfn-lint' | 'checkov';
  readonly rule: string;
  /** Logical ids of the resources that are meant so, without the hash of the CDK. */
  readonly resources: RegExp;
  /** For whoever audits the account. */
  readonly reason: string;
}

/** What the linters find in the templates and what is meant so. Anything else is a fault. */
export const ACKNOWLEDGED: readonly Acknowledgement[] = [
  {
    linter: 'cfn-lint',
    rule: 'W3005',
    resources: /./,
    reason:
      'The CDK writes a dependency on a role beside the reference to it, so that the policies of the ' +
      'role are there as well.',
  },
  {
    linter: 'checkov',
    rule: 'CKV_AWS_27',
    resources: /(^PipelineScheduleDeadLetters|^PipelineQueues.*)Queue$/,
    reason:
      'Queues are encrypted with keys of SQS (SqsManagedSseEnabled), which the rule does not know; ' +
      'their messages hold ids and no text.',
  },
  {
    linter: 'checkov',
    rule: 'CKV_AWS_158',
    resources: /(Logs|^NetworkRejectedTraffic)$/,
    reason:
      'Log groups are encrypted with a key of CloudWatch Logs, and no line holds the text of a row, a ' +
      'vector or a key.',
  },
  {
    linter: 'checkov',
    rule: 'CKV_AWS_173',
    resources: /Function$/,
    reason:
      'Environments are encrypted with a key of Lambda and hold names, addresses and ARNs; what is ' +
      'secret is read from Secrets Manager.',
  },
  {
    linter: 'checkov',
    rule: 'CKV_AWS_115',
    resources: /(Function|CustomResourceProviderHandler)$/,
    reason:
      'Event sources bound the concurrency. A reservation takes from the pool of the account, of which ' +
      'a new account has ten.',
  },
  {
    linter: 'checkov',
    rule: 'CKV_AWS_111',
    resources: /RoleDefaultPolicy$/,
    reason:
      'Network interfaces of a function in a VPC and X-Ray segments have no resource to name; the code ' +
      'itself is denied the former.',
  },
  {
    linter: 'checkov',
    rule: 'CKV_AWS_116',
    resources:
      /(embed|write|migrate|operate|ApiService|SampleLoad|AlarmTopicWebhook)Function$|CustomResourceProviderHandler$/,
    reason:
      'These are invoked by a queue that has dead letters of its own, or by a caller that waits for the ' +
      'answer; where a notice of an alarm is lost, webhook-errors goes off.',
  },
  {
    linter: 'checkov',
    rule: 'CKV_AWS_117',
    resources: /^AWSCDKTrigger.*Handler$|^PipelineAlarmTopicWebhookFunction$/,
    reason:
      'The first is of the CDK and calls AWS; the second tells of a database or a network that is gone, ' +
      'and must not need them.',
  },
  {
    linter: 'checkov',
    rule: 'CKV_AWS_18',
    resources: /^(PipelineClaims|Models)Bucket$/,
    reason:
      'Who must audit reads turns on data events in CloudTrail, which need no second bucket; cdk-nag asks ' +
      'for the same.',
  },
  {
    linter: 'checkov',
    rule: 'CKV_AWS_21',
    resources: /^(PipelineClaims|Models)Bucket$/,
    reason:
      'Vectors are deleted with their rows and must not stay as versions; a model stands under the digest ' +
      'of its content and is never written twice.',
  },
  {
    linter: 'checkov',
    rule: 'CKV_AWS_118',
    resources: /^ClusterWriter$/,
    reason: 'The example database is for a trial and goes with it.',
  },
  {
    linter: 'checkov',
    rule: 'CKV_AWS_149',
    resources: /^PipelineLogin$/,
    reason: 'The login of the example database is made for the trial and goes with it.',
  },
];
