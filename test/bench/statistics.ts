/** The middle of repeated measurements, and the quartiles on both sides of it: how far one round may be off. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  return { median: quantile(sorted, 0.5), low: quantile(sorted, 0.25), high: quantile(sorted, 0.75) };
}

export function median(values: readonly number[]): number {
  return spread(values).median;
}

/** A measurement that is not repeated, such as a count. */
export function exactly(value: number): Spread {
  return { median: value, low: value, high: value };
}

function quantile(sorted: readonly number[], share: number): number {
  const position = (sorted.length - 1) * share;
  const below = sorted[Math.floor(position)];
  const above = sorted[Math.ceil(position)];
  if (below === undefined || above === undefined) throw new Error("statistics: expected measurements, got none");
  return below + (above - below) * (position - Math.floor(position));
}
