interface Embedded {
  readonly _aws?: {
    readonly CloudWatchMetrics?: readonly {
      readonly Namespace: string;
      readonly Dimensions: readonly (readonly string[])[];
      readonly Metrics: readonly { readonly Name: string }[];
    }[];
  };
  readonly [property: string]: unknown;
}

/** Distinct metrics that lines of CloudWatch's embedded format make: each name with each set of values of its dimensions is one. */
export function countSeries(lines: readonly string[]): number {
  const series = new Set<string>();
  for (const line of lines) {
    const event = JSON.parse(line) as Embedded;
    for (const { Namespace, Dimensions, Metrics } of event._aws?.CloudWatchMetrics ?? [])
      for (const names of Dimensions)
        for (const { Name } of Metrics)
          series.add(JSON.stringify([Namespace, Name, names.map(name => [name, event[name]])]));
  }
  return series.size;
}
