/**
 * Where a figure comes from: a page of the vendor, of somebody else who quotes it, or memory.
 * What is from memory is to be checked before it is relied on.
 */
export type PriceOrigin = 'vendor' | 'quoted' | 'memory';

export interface PriceSource {
  readonly page: string;
  /** The date that the page gives itself. Undefined where the page has none. */
  readonly dated?: string;
}

/** A list price in US dollars, with its unit and its sources. */
export interface Price {
  readonly usd: number;
  /** The quantity that `usd` buys. */
  readonly unit: string;
  readonly what: string;
  readonly origin: PriceOrigin;
  /** Empty where `origin` is `memory`. */
  readonly sources: readonly PriceSource[];
}

const MILLION = 1e6;

const SIGNOZ: PriceSource = { page: 'signoz.io/guides/cloudwatch-pricing', dated: 'February 2026' };
const FACTUALMINDS: PriceSource = {
  page: 'factualminds.com/blog/amazon-cloudwatch-pricing-metrics-logs-alarms-dashboards',
  dated: 'June 2026',
};
const C3X: PriceSource = { page: 'c3x.dev/resources/aws/aws_cloudwatch_metric_alarm' };
const DEVNOTES: PriceSource = { page: 'devnotes.tech/understanding-aws-s3-pricing' };
const NAT: readonly PriceSource[] = [{ page: 'usage.ai' }, { page: 'cloud-horizons.com' }];

/** List prices of AWS in us-east-1, in US dollars, without free tiers and tax. */
export const PRICES = {
  lambdaGbSecond: {
    usd: 0.0000133334,
    unit: 'GB-second',
    what: 'Lambda, arm64',
    origin: 'quoted',
    sources: [{ page: 'git.mcrn.ar lambda-13-cost' }],
  },
  lambdaRequest: {
    usd: 0.2 / MILLION,
    unit: 'request',
    what: 'Lambda',
    origin: 'vendor',
    sources: [{ page: 'aws.amazon.com/lambda/pricing' }],
  },
  sqsRequest: {
    usd: 0.4 / MILLION,
    unit: 'request of up to 64 KB',
    what: 'SQS standard queue',
    origin: 'quoted',
    sources: [
      { page: 'cloudburn.io', dated: 'March 2026' },
      { page: 'factualminds.com', dated: 'June 2026' },
    ],
  },
  s3Put: { usd: 0.005 / 1000, unit: 'PUT', what: 'S3 Standard', origin: 'quoted', sources: [DEVNOTES] },
  s3Get: { usd: 0.0004 / 1000, unit: 'GET', what: 'S3 Standard', origin: 'quoted', sources: [DEVNOTES] },
  s3GbMonth: {
    usd: 0.023,
    unit: 'GB-month',
    what: 'S3 Standard',
    origin: 'quoted',
    sources: [{ page: 'cloudburn.io/blog/amazon-s3-pricing', dated: 'March 2026' }],
  },
  logGb: {
    usd: 0.5,
    unit: 'GB taken in',
    what: 'CloudWatch Logs',
    origin: 'quoted',
    sources: [SIGNOZ, FACTUALMINDS],
  },
  traceRecorded: {
    usd: 5 / MILLION,
    unit: 'trace',
    what: 'X-Ray',
    origin: 'vendor',
    sources: [{ page: 'aws.amazon.com/xray/pricing' }],
  },
  metricMonth: {
    usd: 0.3,
    unit: 'metric and month',
    what: 'CloudWatch custom metric (the first 10,000)',
    origin: 'quoted',
    sources: [SIGNOZ, FACTUALMINDS],
  },
  alarmMetricMonth: {
    usd: 0.1,
    unit: 'metric that an alarm watches, and month',
    what: 'CloudWatch alarm',
    origin: 'quoted',
    sources: [SIGNOZ, FACTUALMINDS],
  },
  highResolutionAlarmMetricMonth: {
    usd: 0.3,
    unit: 'metric that an alarm watches, and month',
    what: 'CloudWatch alarm on periods below a minute',
    origin: 'quoted',
    sources: [C3X],
  },
  compositeAlarmMonth: {
    usd: 0.5,
    unit: 'alarm and month',
    what: 'CloudWatch composite alarm',
    origin: 'quoted',
    sources: [SIGNOZ, FACTUALMINDS],
  },
  dashboardMonth: {
    usd: 3,
    unit: 'dashboard and month',
    what: 'CloudWatch dashboard',
    origin: 'quoted',
    sources: [SIGNOZ, FACTUALMINDS],
  },
  keyMonth: {
    usd: 1,
    unit: 'key and month',
    what: 'KMS, a key of one’s own (each of its first two yearly rotations adds as much: from memory)',
    origin: 'vendor',
    sources: [
      { page: 'aws.amazon.com/kms/pricing' },
      { page: 'cloudburn.io/blog/aws-kms-pricing', dated: 'March 2026' },
    ],
  },
  scheduleInvocation: {
    usd: 1 / MILLION,
    unit: 'invocation',
    what: 'EventBridge Scheduler',
    origin: 'quoted',
    sources: [{ page: 'cloudburn.io' }, { page: 'awsnegotiations.com' }],
  },
  secretMonth: {
    usd: 0.4,
    unit: 'secret and month',
    what: 'Secrets Manager',
    origin: 'quoted',
    sources: [{ page: 'hivebook.wiki, AWS Secrets Manager' }],
  },
  natHour: { usd: 0.045, unit: 'hour', what: 'NAT gateway', origin: 'quoted', sources: NAT },
  natGb: {
    usd: 0.045,
    unit: 'GB in either direction',
    what: 'NAT gateway',
    origin: 'quoted',
    sources: NAT,
  },
  internetGb: { usd: 0.09, unit: 'GB sent', what: 'to the internet', origin: 'quoted', sources: [DEVNOTES] },
  zoneGb: {
    usd: 0.02,
    unit: 'GB in either direction',
    what: 'between two zones (0.01 on each side)',
    origin: 'memory',
    sources: [],
  },
} as const satisfies Readonly<Record<string, Price>>;
