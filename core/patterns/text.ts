/** Characters of a text by their places, which count UTF-16 code units. */

/** Returns the number of code units of the character at a place. */
export function characterWidth(text: string, at: number): number {
  return (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
}

/** Returns the index at which the character before a place begins. */
export function previousPlace(text: string, at: number): number {
  return at >= 2 && (text.codePointAt(at - 2) ?? 0) > 0xffff ? at - 2 : at - 1;
}
