/** Characters of a text by their places, which count UTF-16's units. */

/** The number of units that the character at a place has. */
export function characterWidth(text: string, at: number): number {
  return (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
}

/** The index at which the character before a position begins. */
export function previousPlace(text: string, at: number): number {
  return at >= 2 && (text.codePointAt(at - 2) ?? 0) > 0xffff ? at - 2 : at - 1;
}
