/**
 * A duration as JSON writes it: seconds with 0, 3, 6 or 9 decimals and an `s`
 * (protobuf.dev/programming-guides/json). Services answer in this form, and not all of Terraform's comparisons know that
 * `0.1s` and `0.100s` are one.
 */
export function secondsText(seconds: number): string {
  const [whole = "0", fraction = ""] = seconds.toFixed(9).split(".");
  const digits = fraction.replace(/(?:000)+$/, "");
  return digits === "" ? `${whole}s` : `${whole}.${digits}s`;
}
