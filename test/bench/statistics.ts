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

/** Slope of the straight line through points (least squares). */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const x = mean(points.map(([value]) => value));
  const y = mean(points.map(([, value]) => value));
  const spreadOfX = points.reduce((sum, [value]) => sum + (value - x) ** 2, 0);
  if (!(spreadOfX > 0)) throw new Error("statistics: expected points with different x, got none");
  return points.reduce((sum, [px, py]) => sum + (px - x) * (py - y), 0) / spreadOfX;
}

function quantile(sorted: readonly number[], share: number): number {
  const position = (sorted.length - 1) * share;
  const below = sorted[Math.floor(position)];
  const above = sorted[Math.ceil(position)];
  if (below === undefined || above === undefined) throw new Error("statistics: expected measurements, got none");
  return below + (above - below) * (position - Math.floor(position));
}
