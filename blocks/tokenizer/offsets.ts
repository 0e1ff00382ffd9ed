/** Offsets as Python counts them. */

/** Converts offsets in UTF-16 units to offsets in code points, which Python counts. */
export function codePointOffsets(text: string, offsets: ArrayLike<number>): Int32Array {
  const points = new Int32Array(text.length + 1);
  let count = 0;
  for (let i = 0; i < text.length; i++) {
    points[i] = count;
    const code = text.charCodeAt(i);
    // The second half of a pair belongs to the same code point.
    if (code < 0xdc00 || code > 0xdfff) count++;
    else points[i] = count - 1;
  }
  points[text.length] = count;
  return Int32Array.from({ length: offsets.length }, (_, i) => {
    const at = offsets[i] ?? 0;
    const low = text.charCodeAt(at);
    return (points[at] ?? 0) + (i % 2 === 1 && low >= 0xdc00 && low <= 0xdfff ? 1 : 0);
  });
}
