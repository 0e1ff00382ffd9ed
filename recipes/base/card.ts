/**
 * The model card of `attune:base`.
 * @module
 */
import type { Named } from "../../core/types.ts";
import { packages } from "./texts.ts";

/** What the card tells of a training. */
export type CardFacts = Readonly<{ sentences: number; epochs: number; figures: Named<number> }>;

/** The card in Markdown, with the front matter that the hub reads. */
export function card({ sentences, epochs, figures }: CardFacts): string {
  const rounded = (x: number | undefined): string => (x ?? NaN).toFixed(3);
  const rows = packages.map(({ registry, name, version, license }) =>
    `| ${registry} | ${name} ${version} | ${license} |`
  );
  return `---
license: apache-2.0
language: en
library_name: attune
base_model: sentence-transformers/all-MiniLM-L6-v2
pipeline_tag: sentence-similarity
---

# attune:base

A small English encoder that comes with Attune: BERT's shape, 3 layers, 384 wide, 12 heads, a WordPiece vocabulary of its
own of 8,192 tokens, at most 256 tokens of text. Matrices are stored as 8-bit integers with a scale per row
(\`x.scale\` beside \`x\`) and decoded exactly when the model is opened.

It is for trying things offline, for tests, and for fine-tuning on small machines. Mean-pooled states are sentence
embeddings.

## How it was made

\`recipes/distill_base.ts\` distilled it from
[all-MiniLM-L6-v2](https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2) (Apache-2.0, by the sentence-transformers
authors): ${
    sentences.toLocaleString("en")
  } sentences, ${epochs} epochs, the loss being the squared distance of its sentence
embedding from the teacher's. Word and position embeddings started from the teacher's, layers at random. Texts:

| from | package | licence |
|---|---|---|
${rows.join("\n")}

Sentences of the sentiment rows that Attune's recipe trains and tests on were left out.

## Figures

Spearman's correlation of cosine similarities with the teacher's, on sentences that were held out: ${
    rounded(figures.all)
  } over random pairs and nearest neighbours together (${rounded(figures.random)} random pairs alone, ${
    rounded(figures.nearest)
  } nearest neighbours alone). Accuracy after fine-tuning is in \`bench/README.md\`.

## Limits

English only; dictionary glosses, film and product reviews, news and tweets from before 2014 are all it has seen, and it has
their biases. It knows far less than its teacher, and does not generate text.
`;
}
