/** Questions with answers in a text, made from tagged sentences by rules. */
import type { Row } from "../../core/types.ts";

/** Number of words of the shortest and of the longest context. */
const [SHORTEST, LONGEST] = [8, 40];

/** Questions by the tag of their answers: names, numbers, past tense verbs, adverbs in -ly, times and places. */
const questions: readonly (readonly [question: string, tag: RegExp, word?: RegExp])[] = [
  ["Who or what is named?", /^np$/],
  ["Which number is given?", /^cd$/],
  ["What was done?", /^vbd$/],
  ["How was it done?", /^rb$/, /ly$/],
  ["When or where was it?", /^nr$/],
];

/**
 * Returns rows in SQuAD's format from tagged sentences of the Brown corpus: one for each kind of question that exactly
 * one word of the sentence (or one run of adjacent words) answers by its tag.
 */
export function whQuestions(sentences: readonly Row[]): Row[] {
  return sentences.flatMap((row): Row[] => {
    const context = String(row.text);
    const [tokens, tags] = [row.tokens, row.tags] as string[][];
    if (!tokens || !tags || tokens.length < SHORTEST || tokens.length > LONGEST) return [];
    return questions.flatMap(([question, tag, word]): Row[] => {
      const [answer, ...others] = runs(tokens, (i) => tag.test(tags[i] ?? "") && (word?.test(tokens[i] ?? "") ?? true));
      if (answer === undefined || others.length > 0 || context.split(answer).length !== 2) return [];
      // SQuAD counts code points.
      const start = [...context.slice(0, context.indexOf(answer))].length;
      return [{ question, context, answers: { text: [answer], answer_start: [start] } }];
    });
  });
}

/** Returns runs of adjacent tokens that fit, joined. */
function runs(tokens: readonly string[], fits: (i: number) => boolean): string[] {
  const questions: string[] = [];
  tokens.forEach((token, i) => {
    if (!fits(i)) return;
    if (i > 0 && fits(i - 1)) questions.push(`${questions.pop()} ${token}`);
    else questions.push(token);
  });
  return questions;
}

/**
 * Returns answers by lookup: the word of the context that most often answered the same question in the training rows,
 * or, if none did, the first capitalized word within the sentence.
 */
export function predictFromLookup(train: readonly Row[], evaluationRows: readonly Row[]): string[] {
  const counts = new Map<string, number>();
  const answerOf = (row: Row): string => (row.answers as { text: string[] }).text[0] ?? "";
  for (const row of train) {
    const key = `${row.question} ${answerOf(row)}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return evaluationRows.map((row) => {
    const words = String(row.context).match(/[\w'.-]*\w/g) ?? [];
    const count = (word: string): number => counts.get(`${row.question} ${word}`) ?? 0;
    const best = words.reduce((top, word) => (count(word) > count(top) ? word : top), "");
    return best !== "" ? best : words.slice(1).find((word) => /^\p{Lu}/u.test(word)) ?? words[0] ?? "";
  });
}
