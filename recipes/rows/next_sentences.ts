/** Multiple-choice rows about next sentences, made from paragraphs. */
import { createRandom } from "../../core/math/random.ts";
import type { Row } from "../../core/types.ts";

/** Returns rows with a paragraph's first sentence; choices are its second and another paragraph's, in random order. */
export function nextSentences(paragraphs: readonly Row[], seed: number): Row[] {
  const random = createRandom(seed).fork("choices");
  const usable = paragraphs.map((row) => row.sentences as string[]).filter((sentences) => sentences.length > 1);
  return usable.map(([context = "", next = ""], i) => {
    const far = (i + 1 + Math.floor(random.fork("other").uniform(i) * (usable.length - 1))) % usable.length;
    const other = usable[far]?.[1] ?? "";
    const label = Math.floor(random.fork("place").uniform(i) * 2);
    return { context, choices: label === 0 ? [next, other] : [other, next], label };
  });
}
