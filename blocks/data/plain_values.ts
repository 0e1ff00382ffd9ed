/** Values of binary tables as JSON values. */

/**
 * Converts a value to JSON: exact 64-bit integers to numbers, others and dates to text, number arrays to lists; bytes
 * stay.
 */
export function plain(value: unknown): unknown {
  if (typeof value === "bigint") {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  if (value instanceof Date) return value.toISOString();
  if (ArrayBuffer.isView(value)) return value instanceof Uint8Array ? value : Array.from(value as Int32Array, plain);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, plain(field)]));
  }
  return value ?? null;
}
